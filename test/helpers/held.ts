import { onTestFinished } from "vitest";
import type { Entities, Hold, Latchkey, LeaseLostError, MachineDefinition } from "../../src/index.js";
import { admin } from "./calls.js";
import { client } from "./client.js";

/** Renewed at a third of that: short enough to wait for, long enough for a busy machine. */
export const LEASE_MS = 1000;

/** The state in which a renewal must come first. */
export const SOON = { interval: 20 };

/** A machine whose state `working` has a lease. */
export function taskOf(leaseMs: number): MachineDefinition {
  return {
    name: "task",
    version: 1,
    initial: "waiting",
    states: {
      waiting: { to: ["working"] },
      working: { to: ["waiting", "working", "done"], lease: { for: leaseMs, to: "waiting" } },
      done: {},
    },
  };
}

export interface Working {
  readonly home: Latchkey;
  readonly tasks: Entities;
  /** When the lease of an entity was renewed last, in server time; 0 where it never was. */
  leaseAt(id: string): Promise<number>;
}

/** Tasks that are at work, at version 2. */
export async function workingFor(leaseMs: number, ...ids: string[]): Promise<Working> {
  const home = await client();
  const tasks: Entities = await home.machine(taskOf(leaseMs));
  for (const id of ids) {
    await tasks.create(id);
    await tasks.transition(id, "working");
  }
  return { home, tasks, leaseAt: (id) => renewedAt(home, id) };
}

/** When the lease of a task was renewed last in its stay, in server time; 0 where it never was. */
export async function renewedAt({ namespace }: Latchkey, id: string): Promise<number> {
  const times = await (await admin()).hget(`{${namespace}:0}:task:id:${id}`, "times:ms");
  return Number(times?.split(" ")[2]);
}

export function working(...ids: string[]): Promise<Working> {
  return workingFor(LEASE_MS, ...ids);
}

export interface Held {
  readonly hold: Hold;
  /** Resolves with the first reported loss. */
  readonly lost: Promise<LeaseLostError>;
  readonly losses: readonly LeaseLostError[];
}

/** Holds until the test has finished, and reports losses. */
export async function held(tasks: Entities, id: string, version?: number): Promise<Held> {
  const losses: LeaseLostError[] = [];
  let lose = (_: LeaseLostError): void => {};
  const lost = new Promise<LeaseLostError>((resolve) => {
    lose = resolve;
  });
  const onLost = (error: LeaseLostError): void => {
    losses.push(error);
    lose(error);
  };
  const hold: Hold = await tasks.hold(id, { onLost, ...(version !== undefined && { version }) });
  onTestFinished(() => hold.close());
  return { hold, lost, losses };
}
