import type { Valkey } from "iovalkey";
import { onTestFinished } from "vitest";
import type { Finding } from "../../src/fsck/finding.js";
import { type Checked, type FsckOptions, fsck } from "../../src/fsck/fsck.js";
import { defineMachine, type Entities, type Latchkey, partitionOf } from "../../src/index.js";
import { openConnection } from "../../src/valkey/connection.js";
import { admin } from "./calls.js";
import { client } from "./client.js";
import { useValkey } from "./valkey.js";

/** A machine with a timer of each sort. */
export const ticket = defineMachine({
  name: "ticket",
  version: 1,
  initial: "open",
  states: {
    open: { to: ["held", "leased", "shut"], timeout: { after: "1h", to: "shut" } },
    held: { to: ["open", "shut"] },
    leased: { to: ["open", "shut"], lease: { for: "10m", to: "open" }, timeout: { after: "1h", to: "shut" } },
    shut: { retain: "7d" },
  },
  history: 8,
});

/** Holds the findings of a check, and what it examined. */
export interface Report {
  readonly findings: Finding[];
  readonly checked: Checked;
}

/** Tickets in a namespace of their own, and hands to damage them with. */
export class DoctorContext {
  readonly latchkey: Latchkey;
  readonly tickets: Entities;
  readonly partitions: number;

  constructor(latchkey: Latchkey, tickets: Entities, partitions: number) {
    this.latchkey = latchkey;
    this.tickets = tickets;
    this.partitions = partitions;
  }

  /** A key of the partition that the id leads to. */
  key(id: string, rest: string, partition = partitionOf(id, this.partitions)): string {
    return `{${this.latchkey.namespace}:${partition}}:${this.tickets.name}:${rest}`;
  }

  /** @param as a connection to use instead of one that may do anything */
  async fsck(options: FsckOptions = {}, as?: Valkey): Promise<Report> {
    const { url } = await useValkey();
    const connection = await openConnection(as === undefined ? { url } : { client: as });
    try {
      const steps = fsck(connection, this.latchkey.namespace, this.tickets.name, options);
      const findings: Finding[] = [];
      for (;;) {
        const step = await steps.next();
        if (step.done === true) return { findings, checked: step.value };
        findings.push(step.value);
      }
    } finally {
      await connection.close();
    }
  }

  /** Each finding as `kind id result`, sorted. */
  async found(options: FsckOptions = {}): Promise<string[]> {
    const { findings } = await this.fsck(options);
    return findings.map(({ kind, id, result }) => `${kind} ${id} ${result}`).sort();
  }
}

/** Makes a namespace with a number of partitions, and in it a1 open, a2 held, a3 leased, a4 shut, and a5 removed. */
export async function patient(partitions = 1, definition = ticket): Promise<DoctorContext> {
  const latchkey = await client();
  await latchkey.init(partitions);
  const tickets = await latchkey.machine(definition);
  for (const id of ["a1", "a2", "a3", "a4", "a5"]) await tickets.create(id, { n: 1, text: "é" });
  await tickets.transition("a2", "held", { reason: "why not", set: { n: 2 } });
  await tickets.transition("a3", "leased", { unset: ["n"] });
  await tickets.transition("a4", "shut");
  await tickets.remove("a5");
  return new DoctorContext(latchkey, tickets, partitions);
}

/** The tests' own connection, which may do anything. */
export const hands = admin;

/** Repeats some work until it is stopped. The test stops it. */
export function meanwhile(work: (round: number) => Promise<unknown>): { stop(): Promise<number> } {
  let isStopped = false;
  const loop = (async () => {
    let round = 0;
    for (; !isStopped; round++) await work(round);
    return round;
  })();
  const stop = (): Promise<number> => {
    isStopped = true;
    return loop;
  };
  onTestFinished(async () => void (await stop()));
  return { stop };
}
