import { defineMachine } from "latchkey";

/**
 * Defines the machine of a run. It has cycles, so entities live long. It has stamps, a required field, and timers that
 * are too long to fire. The log keeps every change of a run.
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
