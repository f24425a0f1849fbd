import { defineMachine } from "../../src/index.js";

/** A machine with a loop, a self-transition, required fields and several ends. */
export const order = defineMachine({
  name: "order",
  version: 1,
  initial: "draft",
  states: {
    draft: { to: ["submitted", "cancelled"] },
    submitted: { event: "order.in", stamp: "submittedAt", to: ["draft", "paid", "rejected", "cancelled"] },
    paid: { stamp: "paidAt", to: ["paid", "picking", "refunded"] },
    picking: { to: ["packed", "onHold", "refunded"] },
    onHold: { to: ["picking", "refunded"] },
    packed: { to: ["shipped", "picking"] },
    shipped: { require: ["carrier"], stamp: "shippedAt", to: ["delivered", "lost"] },
    delivered: { stamp: "closedAt" },
    lost: { stamp: "closedAt", require: ["claim"], to: ["refunded"] },
    refunded: { stamp: "closedAt" },
    rejected: { require: ["error"] },
    cancelled: {},
  },
  history: 50,
});
