import type { Definition } from "./calls.js";

export const HOUR = 3_600_000;
export const DAY = 86_400_000;

/** A machine in the form that apply takes, with one of everything a state can have. */
export const parcel = {
  name: "parcel",
  version: 1,
  initial: "packed",
  states: {
    packed: { to: ["sent", "lost"], event: "parcel.made" },
    sent: {
      to: ["packed", "sent", "delivered", "lost"],
      stamp: "sentAt",
      timeout: { after: 3_600_000, to: "lost", set: { error: '"late"' } },
    },
    held: { to: ["sent"], lease: { for: 60_000, to: "sent" }, timeout: { after: 3_600_000, to: "sent" } },
    delivered: { require: ["signature"], stamp: "deliveredAt", retain: 86_400_000 },
    lost: { require: ["error", "sentAt"] },
  },
  history: 4,
  events: { keep: 100 },
} satisfies Definition;

/** The order in which apply numbers its states: breadth first from the initial one, the unreachable last. */
export const ORDINALS = { packed: 0, sent: 1, lost: 2, delivered: 3, held: 4 };
