import { defineMachine } from "latchkey";

/**
 * The machine of a run. It goes round, so that an entity lives long; it stamps, requires, and has timers (too long to
 * fire). The log keeps all that a run can make.
 */
export const job = defineMachine({
  name: "job",
  version: 1,
  initial: "queued",
  states: {
    queued: { to: ["running", "cancelled"], timeout: { after: "2d", to: "cancelled" } },
    running: {
      to: ["paused", "done", "failed", "cancelled"],
      stamp: "startedAt",
      lease: { for: "1d", to: "failed", set: { error: "lease expired" } },
    },
    paused: { to: ["running", "cancelled"] },
    done: { to: ["queued"], stamp: "doneAt" },
    failed: { to: ["queued"], require: ["error"], stamp: "failedAt" },
    cancelled: { retain: "7d", stamp: "cancelledAt" },
  },
  history: 16,
  events: { keep: 10_000_000 },
});

/** The states of {@link job}. */
export type JobState = keyof typeof job.states;
