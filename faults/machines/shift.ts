import { defineMachine } from "latchkey";

/** The reaction to every event of {@link shift}. */
export const REACTION = "ledger";
/** Tries of an event before it becomes a dead letter. */
export const DEAD_LETTER_AFTER = 4;

/**
 * The other machine of a run: all that its entities wait for runs out within seconds. It has a namespace of its own, so
 * that what is fired by nobody's call stays out of the logs that the callers' histories are held against.
 */
export const shift = defineMachine({
  name: "shift",
  version: 1,
  initial: "waiting",
  states: {
    waiting: { to: ["held", "late"], timeout: { after: "2s", to: "late" } },
    held: { to: ["done", "lost"], lease: { for: "2s", to: "lost", set: { error: "its holder is gone" } } },
    done: { retain: "4s" },
    lost: { retain: "3m" },
    late: {},
  },
  history: 16,
  events: { keep: 10_000_000 },
});

/** Its namespace. */
export const SHIFTS = "faults-time";
