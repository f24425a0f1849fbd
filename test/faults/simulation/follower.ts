import type { FieldMap, HistoryRecord } from "../../../faults/history/records.js";
import type { Random } from "../../../faults/random.js";
import { TASK } from "./machine.js";

interface Entry {
  readonly entry: string;
  readonly document: FieldMap;
}

/** Follows the log, restarts now and then, and gets a gap if what it read is gone. */
export class SimulatedFollower {
  readonly #name: string;
  readonly #random: Random;
  #read: string[] = [];
  #isOpen = false;

  constructor(name: string, random: Random) {
    this.#name = name;
    this.#random = random;
  }

  step(stream: readonly Entry[], at: number): HistoryRecord[] {
    const base = { follower: this.#name, at } as const;
    if (!this.#isOpen) {
      this.#isOpen = true;
      return [{ kind: "follow", ...base, machine: TASK.name, after: this.#read.at(-1) ?? "start" }];
    }
    if (this.#random.below(40) === 0) {
      // It was killed, so its last cursors are lost.
      this.#isOpen = false;
      this.#read = this.#read.slice(0, Math.max(0, this.#read.length - this.#random.below(3)));
      return [];
    }
    const place = this.#read.length;
    const last = this.#read.at(-1);
    if (last !== undefined && stream[place - 1]?.entry !== last) {
      this.#isOpen = false;
      this.#read = stream.slice(0, place).map(({ entry }) => entry);
      return [{ kind: "gap", ...base, cursor: this.#read.at(-1) ?? "0-0" }];
    }
    const entry = stream[place];
    if (entry === undefined) return [];
    this.#read.push(entry.entry);
    return [{ kind: "event", ...base, cursor: entry.entry, document: entry.document }];
  }

  /** Reads to the end. */
  finish(stream: readonly Entry[], at: number): HistoryRecord[] {
    const records: HistoryRecord[] = [];
    while (
      this.#read.length !== stream.length ||
      this.#read.at(-1) !== stream.at(-1)?.entry ||
      !this.#isOpen
    ) {
      records.push(...this.step(stream, at));
    }
    return [...records, { kind: "followed", follower: this.#name, at }];
  }
}
