import type { RunMachine } from "../../../faults/history/records.js";

/** A machine that exercises all rules: cycles, a final state, stamps, a required field, timers. */
export const TASK = {
  name: "task",
  version: 1,
  initial: "waiting",
  states: {
    waiting: {
      to: ["running", "failed"],
      timeout: { after: 3_600_000, to: "failed", set: { error: '"late"' } },
    },
    running: { to: ["waiting", "done", "failed"], event: "task.started", stamp: "startedAt" },
    failed: { to: ["waiting"], require: ["error"], stamp: "failedAt" },
    done: { retain: 86_400_000, stamp: "doneAt" },
  },
  history: 4,
  events: { keep: 10_000_000 },
} as const satisfies RunMachine & Record<string, unknown>;

export const STATES = Object.keys(TASK.states);
