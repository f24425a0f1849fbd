import { defineMachine } from "latchkey";

/** The review of the result of an agent. */
export const review = defineMachine({
  name: "review",
  version: 1,
  initial: "open",
  states: {
    open: { to: ["approved", "rejected"], timeout: { after: "7d", to: "approved" } },
    approved: {},
    rejected: { require: ["comment"] },
  },
  retain: "30d",
});

/** The fields of a review, besides those of latchkey. */
export interface ReviewFields {
  taskId: string;
  comment?: string;
}
