import { admin, Calls } from "../helpers/calls.js";
import {
  type Call,
  isAfter,
  latest,
  msOf,
  type Operation,
  type Outcome,
  type Position,
  Rules,
  START,
  type Stored,
} from "./rules.js";
import type { Step } from "./steps.js";

const HOUR = 3_600_000;
const definition = {
  name: "job",
  version: 1,
  initial: "a",
  states: { a: { to: ["b"] }, b: { to: ["a"] } },
  history: 32,
  events: { keep: 10_000 },
};

/** Fills the index with the tombstones of other ids, up to ARGV[3], from the position after ARGV[1] ms on. */
const FILL = `
local count, ms = 0, tonumber(ARGV[1])
for i = 0, ARGV[2] - 1 do
  redis.call('ZADD', KEYS[1], string.format('%.0f', -((ms + math.floor(i / 1000)) * 1024 + i % 1000)), 'other' .. i)
end`;

/** Returns the text of a script. */
export type Text = (operation: Operation | "apply") => string;

interface Replica {
  readonly keys: readonly (readonly [key: string, dump: Buffer])[];
  readonly stored: Stored;
  readonly applied: ReadonlySet<string>;
}

/** Throws unless two values are equal. */
function same(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${what}: the server has ${actual}, the rules have ${expected}`);
}

/** Takes steps on a server and in the rules, and throws where they differ. */
export class Walk {
  readonly #calls: Calls;
  readonly #text: Text;
  readonly #rules: Rules;
  readonly #sent: Call[] = [];
  readonly #positions: Position[] = [START];
  #applied: ReadonlySet<string> = new Set();
  #replica: Replica;
  #isFilled = false;
  #version = 0;
  readonly outcomes: Outcome[] = [];

  constructor(calls: Calls, text: Text, tombstones: number) {
    this.#calls = calls;
    this.#text = text;
    this.#rules = new Rules(tombstones);
    this.#replica = { keys: [], stored: this.#rules.stored, applied: this.#applied };
  }

  /** Begins a walk in a new namespace, with the text of every script and the number of tombstones that it keeps. */
  static async begin(text: Text, tombstones: number): Promise<Walk> {
    const walk = new Walk(new Calls(await admin(), definition.name), text, tombstones);
    await walk.#apply();
    await walk.#replicate();
    return walk;
  }

  async take(step: Step): Promise<void> {
    if (step.kind === "call") return this.#call(this.#chosen(step));
    if (step.kind === "copy") return this.#copy(step.which, step.isLate);
    if (step.kind === "patches") return this.#patch(`e${step.id % 3}`, step.count, step.haveOps);
    if (step.kind === "advance") return this.#advance(step.sequence);
    if (step.kind === "fill") return this.#fill(step.excess);
    if (step.kind === "apply") return this.#apply();
    if (step.kind === "replicate") return this.#replicate();
    return this.#failOver();
  }

  #chosen({ operation, id, hasOp, to, seen, isLate }: Extract<Step, { kind: "call" }>): Call {
    const isKeyed = hasOp || operation === "restore";
    const known = [this.#rules.stored.end, ...this.#positions.slice(-4), ...this.#positions.slice(0, 2)];
    const chosen = known[seen % known.length] ?? START;
    return {
      ...{ operation, id: `e${id % 3}`, to: to % 2 === 0 ? "a" : "b", isLate },
      ...(isKeyed && { op: `op${this.#sent.length}`, seen: chosen }),
    };
  }

  /** Repeats an earlier call. A retry has a NOTAFTER of its own. */
  async #copy(which: number, isLate: boolean): Promise<void> {
    const call = this.#sent[which % Math.max(1, this.#sent.length)];
    if (call !== undefined) await this.#call({ ...call, isLate: call.isLate || isLate });
  }

  async #patch(id: string, count: number, haveOps: boolean): Promise<void> {
    for (let at = 0; at < count; at++) {
      const key = haveOps ? { op: `op${this.#sent.length}`, seen: this.#rules.stored.end } : {};
      await this.#call({ operation: "patch", id, to: "a", isLate: false, ...key });
    }
  }

  async #call(call: Call): Promise<void> {
    this.#sent.push(call);
    const [nowMs, [outcome, , position], compare] = await Promise.all([
      this.#nowMs(),
      this.#send(call),
      this.#read(call.id),
    ]);
    const name = `${call.operation} ${call.id} ${call.op} SEEN ${call.seen} at ${this.#rules.stored.end}`;
    const expected = this.#rules.judge(call, nowMs);
    same(name, outcome, expected);
    this.outcomes.push(expected);
    if (outcome === "OK" && position !== null) this.#accept(name, call, position);
    else same(`position of ${outcome}`, position, outcome === "FORGOTTEN" ? this.#rules.stored.end : null);
    compare();
  }

  #accept(name: string, call: Call, position: Position): void {
    for (const earlier of [this.#rules.stored.end, call.seen ?? START])
      if (!isAfter(position, earlier)) throw new Error(`${name}: its position ${position} is not greater`);
    const { op } = call;
    if (op !== undefined && this.#applied.has(op)) throw new Error(`${name}: took effect twice`);
    if (op !== undefined) this.#applied = new Set([...this.#applied, op]);
    this.#rules.apply(call, position);
    this.#positions.push(position);
  }

  #send({ operation, id, op, seen, to, isLate }: Call): Promise<[string, string | null, Position | null]> {
    const own = {
      create: [],
      transition: [to],
      patch: ["SET", "n", "1"],
      remove: [],
      restore: ["a", "7", "1700000000000", "1700000000000"],
    }[operation];
    const key = op === undefined ? [] : ["OP", op, "SEEN", seen ?? START];
    const args = [id, ...own, ...key, ...(isLate ? ["NOTAFTER", "1"] : [])];
    return this.#calls.valkey.eval(this.#text(operation), 6, ...this.#calls.keys(id), ...args) as Promise<
      [string, string | null, Position | null]
    >;
  }

  /** Reads what is stored of an entity, its tombstone and the floor. @returns what compares it with the rules */
  async #read(id: string): Promise<() => void> {
    const { valkey } = this.#calls;
    const [forgot, score, floor] = await Promise.all([
      valkey.hget(this.#calls.key(`id:${id}`), "ops:forgot"),
      this.#calls.score("index", id),
      valkey.hget(this.#calls.key("machine"), "floor"),
    ]);
    return () => {
      same("floor", floor ?? START, this.#rules.stored.floor);
      const end = positionOf(score) ?? floor ?? START;
      same(`what ${id} forgot`, forgot ?? end, this.#rules.forgot(id));
      same(`existence of ${id}`, forgot !== null, this.#rules.stored.entities.has(id));
    };
  }

  async #nowMs(): Promise<number> {
    const [seconds, micros] = await this.#calls.valkey.time();
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  }

  /** Moves the end of the log ahead of the clock, as if the clock had been set back. */
  async #advance(sequence: number): Promise<void> {
    const ms = Math.max(msOf(this.#rules.stored.end), await this.#nowMs()) + HOUR;
    await this.#moveEnd(`${ms}-${sequence}`);
  }

  async #moveEnd(end: Position): Promise<void> {
    const events = this.#calls.key("events");
    if ((await this.#calls.valkey.exists(events)) === 0) return;
    await this.#calls.valkey.call("XSETID", events, end);
    this.#rules.stored = { ...this.#rules.stored, end };
    this.#positions.push(end);
  }

  /** Removes many other entities, so that the oldest tombstones are trimmed by the next removals. */
  async #fill(excess: number): Promise<void> {
    const { stored } = this.#rules;
    if (this.#isFilled || stored.end === START) return;
    this.#isFilled = true;
    const count = this.#rules.tombstones + excess - stored.tombstones.length;
    const ms = msOf(stored.end) + 1;
    const at = (i: number): Position => `${ms + Math.floor(i / 1000)}-${i % 1000}`;
    await this.#calls.valkey.eval(FILL, 1, this.#calls.key("index"), ms, count);
    const others = Array.from({ length: count }, (_, i) => [`other${i}`, at(i)] as const);
    this.#rules.stored = { ...stored, tombstones: [...stored.tombstones, ...others] };
    await this.#moveEnd(at(count - 1));
  }

  async #apply(): Promise<void> {
    this.#version += 1;
    const keys = ["machine", "index"].map((rest) => this.#calls.key(rest));
    const machines = `{${this.#calls.namespace}:0}:machines`;
    const text = JSON.stringify({ ...definition, version: this.#version });
    await this.#calls.valkey.eval(this.#text("apply"), 3, ...keys, machines, text);
  }

  async #replicate(): Promise<void> {
    const names = await this.#calls.valkey.keys(`${this.#calls.prefix}*`);
    const dumps = await Promise.all(names.map((name) => this.#calls.valkey.dumpBuffer(name)));
    const keys = names.flatMap((name, at) => {
      const dump = dumps[at];
      return dump ? [[name, dump] as const] : [];
    });
    this.#replica = { keys, stored: this.#rules.stored, applied: this.#applied };
  }

  /** Loses everything since the replica was copied. */
  async #failOver(): Promise<void> {
    const { valkey, prefix } = this.#calls;
    const names = await valkey.keys(`${prefix}*`);
    if (names.length > 0) await valkey.del(...names);
    for (const [name, dump] of this.#replica.keys) await valkey.restore(name, 0, dump);
    this.#isFilled = this.#replica.stored.tombstones.some(([id]) => id.startsWith("other"));
    // Positions of this millisecond would be compared with the end of the log or not, by chance.
    const lost = msOf(this.#positions.reduce(latest));
    const now = await this.#nowMs();
    if (lost < now + 1000) while ((await this.#nowMs()) <= lost);
    this.#rules.stored = this.#replica.stored;
    this.#applied = this.#replica.applied;
  }
}

/** Returns the position that a tombstone holds. */
function positionOf(score: string | null): Position | undefined {
  const value = BigInt(score ?? 0);
  return value < 0n ? `${-value / 1024n}-${-value % 1024n}` : undefined;
}
