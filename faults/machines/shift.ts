import { defineMachine } from "latchkey";

/** Name of the reaction to every event of {@link shift}. */
export const REACTION = "ledger";
/** Attempts of an event before it becomes a dead letter. */
export const DEAD_LETTER_AFTER = 4;

/**
 * Defines the machine of the timed clients. All its timers expire within seconds. It has its own namespace, because no
 * call requests what a sweeper fires, and the callers' history must explain every change of its log.
 */
export const shift = defineMachine({
  name: "shift",
  version: 1,
  initial: "waiting",
  states: {
    waiting: { to: ["held", "late"], timeout: { after: "2s", to: "late" } },
    held: { to: ["done", "lost"], lease: { for: "2s", to: "lost", set: { error: "lease expired" } } },
    done: { retain: "4s" },
    lost: { retain: "3m" },
    late: {},
  },
  history: 16,
  events: { keep: 10_000_000 },
});

/** Namespace of {@link shift}. */
export const SHIFTS = "faults-time";
