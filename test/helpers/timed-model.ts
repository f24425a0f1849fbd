import type { CompiledMachine, CompiledState } from "../../src/machine/compiled.js";

/** An entity, as far as its timers need it. */
export interface Alive {
  state: string;
  version: number;
  since: number;
  /** From when its lease counts. */
  sign: number;
  /** The deadline that was last returned. */
  told: number | undefined;
  isSeen: boolean;
  logged: number;
}

/** The end of a timer; `sign` is set if the lease counts from now, because nobody could know of it. */
interface Ends {
  readonly fixed: number | undefined;
  readonly lease: number | undefined;
  readonly sign: number;
}

const least = (...ends: (number | undefined)[]): number | undefined => {
  const set = ends.filter((end) => end !== undefined);
  return set.length === 0 ? undefined : Math.min(...set);
};

/** Models entities by the design alone, with any version of the machine. */
export class Timed {
  readonly alive = new Map<string, Alive>();
  machine: CompiledMachine;
  /** States that entities in dropped states may go to. */
  map: Readonly<Record<string, string>> = {};
  changes = 0;
  now = 0;

  constructor(machine: CompiledMachine) {
    this.machine = machine;
  }

  /** Returns a state of the current version; empty if it is dropped. */
  spec(state: string): CompiledState {
    return this.machine.states[state] ?? { event: "" };
  }

  ways(state: string): readonly string[] {
    if (this.machine.states[state] !== undefined) return this.spec(state).to ?? [];
    return this.map[state] === undefined ? [] : [this.map[state]];
  }

  install(machine: CompiledMachine, map: Readonly<Record<string, string>>): "OK" | "INUSE" {
    const lacking = [...this.alive.values()].filter(({ state }) => machine.states[state] === undefined);
    if (lacking.some(({ state }) => map[state] === undefined)) return "INUSE";
    this.machine = machine;
    this.map = map;
    return "OK";
  }

  create(id: string): string {
    return this.alive.has(id) ? "EXISTS" : this.#enter(id, this.machine.initial);
  }

  transition(id: string, to = ""): string {
    const it = this.alive.get(id);
    if (it === undefined) return "NOTFOUND";
    return this.ways(it.state).includes(to) ? this.#enter(id, to) : "ILLEGAL";
  }

  patch(id: string): string {
    const it = this.alive.get(id);
    if (it === undefined) return "NOTFOUND";
    if (this.#lacks(it.state, it.isSeen)) return "MISSING";
    this.#log(it);
    return "OK";
  }

  remove(id: string): string {
    if (!this.alive.delete(id)) return "NOTFOUND";
    this.changes += 1;
    return "OK";
  }

  heartbeat(id: string, _ifVersion = "", version = ""): string {
    const it = this.alive.get(id);
    if (it === undefined) return "NOTFOUND";
    if (it.version !== Number(version)) return "CONFLICT";
    const { lease } = this.spec(it.state);
    if (lease === undefined) return "ILLEGAL";
    it.sign = this.now;
    it.told = least(this.#ends(it).fixed, Math.max(this.now + lease.for, it.told ?? 0));
    return "OK";
  }

  expire(id: string): string {
    const it = this.alive.get(id);
    if (it === undefined) return "NOTFOUND";
    const { timeout, lease } = this.spec(it.state);
    const ends = this.#ends(it);
    const due = least(ends.fixed, ends.lease);
    if (due === undefined || due > this.now) {
      it.told = due;
      it.sign = ends.sign;
      return "NOTDUE";
    }
    const ranOut = ends.fixed === due ? timeout : lease;
    if (ranOut === undefined) return this.remove(id);
    it.told = due; // it stays there if it cannot fire
    return this.#enter(id, ranOut.to);
  }

  /** Returns when it is due if only its entry and the last heartbeat count. */
  plain(it: Alive): number | undefined {
    const { lease } = this.spec(it.state);
    return least(this.#ends(it).fixed, lease && it.sign + lease.for);
  }

  #ends({ state, since, sign, told }: Alive): Ends {
    const { timeout, lease, retain } = this.spec(state);
    const fixed = least(timeout && since + timeout.after, retain === undefined ? undefined : since + retain);
    if (lease === undefined) return { fixed, lease, sign };
    const own = sign + lease.for;
    // Its holder may rely on the returned deadline, so that never moves closer.
    if (told !== undefined && told > this.now) return { fixed, lease: Math.max(told, own), sign };
    // The returned deadline has passed and was the end of this lease, or the lease is longer.
    if (told !== undefined && (told === own || own > this.now)) return { fixed, lease: own, sign };
    return { fixed, lease: this.now + lease.for, sign: this.now };
  }

  #enter(id: string, to: string): "OK" | "MISSING" {
    const before = this.alive.get(id);
    const isSeen = before?.isSeen ?? false;
    if (this.#lacks(to, isSeen)) return "MISSING";
    const { timeout, lease, retain } = this.spec(to);
    const length = least(timeout?.after, lease?.for, retain);
    const it: Alive = {
      ...{ state: to, version: before?.version ?? 0, since: this.now, sign: this.now },
      told: length === undefined ? undefined : this.now + length,
      isSeen: isSeen || this.spec(to).stamp !== undefined,
      logged: before?.logged ?? 0,
    };
    this.#log(it);
    this.alive.set(id, it);
    return "OK";
  }

  #log(it: Alive): void {
    it.version += 1;
    it.logged += 1;
    const excess = it.logged - Math.max(this.machine.history, 32);
    if (excess >= 8) it.logged -= Math.min(excess, 32);
    this.changes += 1;
  }

  #lacks(state: string, isSeen: boolean): boolean {
    return this.spec(state).require !== undefined && !isSeen;
  }
}
