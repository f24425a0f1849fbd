import type { Definition } from "./calls.js";
import { type Clocked, clocked } from "./clock.js";

export const SECOND = 1000;
export const MINUTE = 60_000;

/** A machine in the form that apply takes, with every kind of timer. */
export const task = {
  name: "task",
  version: 1,
  initial: "waiting",
  states: {
    waiting: { to: ["working"], timeout: { after: 3_600_000, to: "working" } },
    working: {
      to: ["waiting", "lost", "late", "done"],
      lease: { for: 30_000, to: "lost", set: { error: '"no sign of life"', n: "1.0" } },
      timeout: { after: 90_000, to: "late" },
    },
    held: { to: ["lost", "held"], lease: { for: 500, to: "held" } },
    parked: { to: ["working"] },
    late: { event: "task.overdue", retain: 604_800_000 },
    lost: { require: ["error"], stamp: "lostAt" },
    done: { retain: 1 },
  },
  history: 4,
  events: { keep: 100 },
} satisfies Definition;

/** Makes a task that entered a state just now, with the version 1, or 2 if it is not the initial one. */
export async function inState(state: string, id = "t1"): Promise<Clocked> {
  const location = await clocked(task);
  await location.ok("create", id, "SET", "error", '"none"');
  location.pass(SECOND);
  if (state !== "waiting") await location.ok("transition", id, state, "FORCE", "REASON", "to be there");
  return location;
}
