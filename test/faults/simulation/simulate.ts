import type { CallRecord, HistoryRecord, ReturnRecord } from "../../../faults/history/records.js";
import { Random } from "../../../faults/random.js";
import { FLOOR } from "./final-state.js";
import { SimulatedFollower } from "./follower.js";
import { STATES, TASK } from "./machine.js";
import { type Answer, SimulatedServer, START_MS } from "./server.js";

export interface SimulationOptions {
  readonly seed: number;
  readonly calls: number;
  /** Number of entities. @default 5 */
  readonly ids?: number;
  /** Number of concurrent calls. @default 8 */
  readonly concurrent?: number;
  /** Share of calls whose outcome stays unknown. @default 0.05 */
  readonly unknown?: number;
  /** Crashes in which the server loses its last changes, as the run record permits. @default 0 */
  readonly crashes?: number;
  /** Changes of the server's clock, forward or back. @default 0 */
  readonly jumps?: number;
  /** Share of changes of which a copy is delivered too, before or after them. @default 0 */
  readonly copies?: number;
}

const CRASH = "F6 server killed, everysec";
const CLOCK = "F16 clock jumps";
/** By how much the clock is set, forward or back. */
const JUMPS_MS = [2_000, 30_000, 3_600_000, 86_400_000];
const WINDOW_MS = 20;

/** Mostly the states of a cycle, so that entities live long. */
const TARGETS = [...STATES, ..."waiting waiting waiting running running running running".split(" ")];

/** Decides how a call ends. Its caller does not know this. */
type Fate = "normal" | "rejected" | "request-lost" | "reply-lost" | "late" | "killed" | "copy";

interface Pending {
  readonly call: CallRecord;
  readonly fate: Fate;
  answer?: Answer;
  hasReturned?: boolean;
}

/** Makes a correct history of concurrent calls, lost replies, retries and followers from a seed. */
export function simulate(options: SimulationOptions): HistoryRecord[] {
  return new Simulation(options).run();
}

class Simulation {
  readonly #options: Required<SimulationOptions>;
  readonly #random: Random;
  readonly #server = new SimulatedServer();
  readonly #records: HistoryRecord[] = [];
  readonly #pending: Pending[] = [];
  readonly #done: CallRecord[] = [];
  readonly #followers: SimulatedFollower[];
  readonly #numbers = new Map<string, number>();
  #seen: readonly string[] = [FLOOR];
  /** Changes that were resolved as never applied. */
  readonly #ended = new Set<string>();
  #at = 1000;
  #started = 0;
  #crashes = 0;
  #jumps = 0;

  constructor(options: SimulationOptions) {
    this.#options = { ids: 5, concurrent: 8, unknown: 0.05, crashes: 0, jumps: 0, copies: 0, ...options };
    this.#random = new Random(options.seed);
    this.#followers = ["follower-1", "follower-2"].map((name) => new SimulatedFollower(name, this.#random));
  }

  run(): HistoryRecord[] {
    const { seed, calls, crashes, jumps } = this.#options;
    this.#records.push({
      ...{ kind: "run", format: 2, seed, topology: "simulated", command: `simulate ${seed}` },
      startedAt: new Date(START_MS).toISOString(),
      machines: [TASK],
      loss: [{ fault: CRASH, windowMs: WINDOW_MS, spares: ["fsync"] }],
      clocks: [CLOCK],
    });
    while (this.#started < calls || this.#pending.length > 0) {
      this.#at += this.#random.below(100) / 100;
      // Positions that a client may know: the newest ones.
      this.#seen = [...this.#seen.slice(-2), this.#server.end];
      const isFull = this.#pending.length >= this.#options.concurrent;
      if (this.#started < calls && !isFull && this.#random.below(2) === 0) this.#start(this.#draw());
      else this.#advance();
      for (const follower of this.#followers) {
        if (this.#random.below(3) === 0) this.#records.push(...follower.step(this.#server.stream, this.#at));
      }
      if (this.#crashes < crashes && this.#started > ((this.#crashes + 1) * calls) / (crashes + 1))
        this.#crash();
      if (this.#jumps < jumps && this.#started > ((this.#jumps + 1) * calls) / (jumps + 1)) this.#jump();
    }
    for (const follower of this.#followers)
      this.#records.push(...follower.finish(this.#server.stream, this.#at));
    return [...this.#records, ...this.#server.final(), { kind: "end", at: this.#at }];
  }

  #draw(): CallRecord {
    const roll = this.#random.below(100);
    const old = this.#done.length > 0 && roll < 6 ? this.#random.of(this.#done) : undefined;
    if (old !== undefined) return this.#again(old);
    const process = `worker-${this.#random.below(4)}`;
    const number = this.#next(process);
    const id = `t${this.#random.below(this.#options.ids)}`;
    const call = { kind: "call", process, number, at: this.#at, machine: TASK.name, id } as const;
    if (roll < 20) return { ...call, operation: "get" };
    const named = { ...call, op: `${process}:${number}`, seen: this.#random.of(this.#seen) };
    if (roll < 34) return { ...named, operation: "create", ...this.#fields() };
    if (roll < 39) return { ...named, operation: "remove" };
    const guards = {
      ...(this.#random.below(6) === 0 && { ifVersion: 1 + this.#random.below(12) }),
      ...(this.#random.below(6) === 0 && { ifState: this.#random.of(STATES) }),
    };
    if (roll < 52) {
      const unset = this.#random.below(3) === 0 ? ["note"] : undefined;
      return { ...named, operation: "patch", set: { n: number }, ...(unset && { unset }), ...guards };
    }
    return {
      ...named,
      operation: "transition",
      to: this.#random.of(TARGETS),
      ...this.#fields(),
      ...guards,
    };
  }

  #fields(): Pick<CallRecord, "set"> {
    const set = {
      ...(this.#random.below(2) === 0 && { error: `e${this.#random.below(9)}` }),
      ...(this.#random.below(3) === 0 && { note: { deep: [this.#random.below(9)] } }),
    };
    return Object.keys(set).length === 0 ? {} : { set };
  }

  #next(process: string): number {
    const number = (this.#numbers.get(process) ?? 0) + 1;
    this.#numbers.set(process, number);
    return number;
  }

  #again({ process, ...call }: CallRecord): CallRecord {
    return { ...call, process, number: this.#next(process), at: this.#at };
  }

  #start(call: CallRecord): void {
    const { unknown } = this.#options;
    const isUnknown = call.operation !== "get" && this.#random.below(1000) < unknown * 1000;
    const fates: readonly Fate[] = ["request-lost", "reply-lost", "late", "killed"];
    const fate = isUnknown ? this.#random.of(fates) : this.#random.below(50) === 0 ? "rejected" : "normal";
    this.#started += 1;
    this.#records.push(call);
    this.#pending.push({ call, fate });
    if (call.operation !== "get" && this.#random.below(1000) < this.#options.copies * 1000)
      this.#pending.push({ call, fate: "copy" });
  }

  #advance(): void {
    if (this.#pending.length === 0) return;
    const at = this.#random.below(this.#pending.length);
    const pending = this.#pending[at];
    if (pending === undefined) return;
    const { call, fate } = pending;
    if (fate === "copy") {
      this.#pending.splice(at, 1);
      this.#copy(call);
      return;
    }
    if (
      fate === "normal" ||
      fate === "reply-lost" ||
      (fate === "late" && pending.hasReturned) ||
      fate === "killed"
    ) {
      if (pending.answer === undefined && !(fate === "killed" && this.#random.below(2) === 0)) {
        pending.answer = this.#server.call(call, this.#at);
        if (fate !== "late") return;
      }
    }
    if (fate === "late" && !pending.hasReturned) {
      pending.hasReturned = true;
      this.#return(call, { outcome: "UNKNOWN" });
      return;
    }
    this.#pending.splice(at, 1);
    if (fate === "normal" && pending.answer !== undefined) {
      this.#return(call, pending.answer);
      if (call.op !== undefined) this.#done.push(call);
    } else if (fate === "rejected") this.#return(call, { outcome: "NOTEXECUTED" });
    else if (fate === "killed") this.#start(this.#again(call));
    else {
      if (fate !== "late") this.#return(call, { outcome: "UNKNOWN" });
      if (this.#random.below(2) === 0) this.#resolve(call);
    }
  }

  #return({ process, number }: CallRecord, answer: Answer): void {
    const { document, outcome } = answer;
    const record: ReturnRecord = {
      kind: "return",
      process,
      number,
      at: this.#at,
      outcome,
      ...(document && { document }),
    };
    this.#records.push(record);
  }

  /** Delivers a copy. Its reply may be lost. */
  #copy(call: CallRecord): void {
    const { machine, id, op = "" } = call;
    const copy = { process: "copy", number: this.#next("copy") };
    this.#records.push({ kind: "copy", ...copy, at: this.#at, machine, id, op });
    const isOver = this.#ended.has(op);
    const answer: Answer = isOver ? { outcome: "EXPIRED" } : this.#server.call(call, this.#at);
    if (this.#random.below(5) > 0) this.#return({ ...call, ...copy }, answer);
  }

  #resolve({ process, number, op = "" }: CallRecord): void {
    const version = this.#server.versionOf(op);
    const outcome = version === undefined ? "NOTDONE" : "DONE";
    if (version === undefined) this.#ended.add(op);
    const base = { kind: "resolved", process, number, at: this.#at, outcome } as const;
    this.#records.push(version === undefined ? base : { ...base, version });
  }

  #jump(): void {
    this.#jumps += 1;
    const number = this.#crashes + this.#jumps;
    this.#records.push({ kind: "fault-begin", number, name: CLOCK, at: this.#at });
    const most = this.#random.of(JUMPS_MS);
    this.#server.setClock(this.#random.below(2 * most) - most);
    this.#records.push({ kind: "fault-end", number, at: this.#at });
  }

  #crash(): void {
    this.#crashes += 1;
    const { stream } = this.#server;
    const number = this.#crashes + this.#jumps;
    this.#records.push({ kind: "fault-begin", number, name: CRASH, at: this.#at });
    const young = stream.filter(({ at }) => at > this.#at - WINDOW_MS);
    this.#server.lose(this.#random.below(young.length + 1));
    this.#at += 5;
    for (const { call, hasReturned } of this.#pending.splice(0)) {
      if (!hasReturned) this.#return(call, { outcome: "UNKNOWN" });
    }
    this.#records.push({ kind: "fault-end", number, at: this.#at });
  }
}
