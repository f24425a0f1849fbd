import type { Valkey } from "iovalkey";
import { onTestFinished } from "vitest";
import type { Finding } from "../../src/fsck/finding.js";
import { type FsckOptions, type FsckSummary, fsck } from "../../src/fsck/fsck.js";
import { defineMachine, type Entities, type Latchkey, partitionOf } from "../../src/index.js";
import { openConnection } from "../../src/valkey/open-connection.js";
import { client } from "./client.js";
import { useValkey } from "./valkey.js";

/** Defines a machine with a timer of each kind. */
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

/** Holds the findings of a check and the counts of what it checked. */
export interface FsckReport {
  readonly findings: Finding[];
  readonly checked: FsckSummary;
}

/** Tickets in a namespace of their own, and admin to damage them with. */
export class TicketFixture {
  readonly latchkey: Latchkey;
  readonly tickets: Entities;
  readonly partitions: number;

  constructor(latchkey: Latchkey, tickets: Entities, partitions: number) {
    this.latchkey = latchkey;
    this.tickets = tickets;
    this.partitions = partitions;
  }

  /** Returns a key of the partition of an id. */
  key(id: string, rest: string, partition = partitionOf(id, this.partitions)): string {
    return `{${this.latchkey.namespace}:${partition}}:${this.tickets.name}:${rest}`;
  }

  /** Runs fsck. @param as a connection to use instead of one with all permissions */
  async fsck(options: FsckOptions = {}, as?: Valkey): Promise<FsckReport> {
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

  /** Runs fsck and returns each finding as `kind id result`, sorted. */
  async results(options: FsckOptions = {}): Promise<string[]> {
    const { findings } = await this.fsck(options);
    return findings.map(({ kind, id, result }) => `${kind} ${id} ${result}`).sort();
  }
}

/** Creates a namespace with the tickets a1 (open), a2 (held), a3 (leased), a4 (shut) and a5 (removed). */
export async function ticketFixture(partitions = 1, definition = ticket): Promise<TicketFixture> {
  const latchkey = await client();
  await latchkey.init(partitions);
  const tickets = await latchkey.machine(definition);
  for (const id of ["a1", "a2", "a3", "a4", "a5"]) await tickets.create(id, { n: 1, text: "é" });
  await tickets.transition("a2", "held", { reason: "why not", set: { n: 2 } });
  await tickets.transition("a3", "leased", { unset: ["n"] });
  await tickets.transition("a4", "shut");
  await tickets.remove("a5");
  return new TicketFixture(latchkey, tickets, partitions);
}

/** Repeats some work until it is stopped, at the latest when the test ends. */
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
