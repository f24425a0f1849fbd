import { changedFields } from "../../../faults/check/field-map.js";
import { MachineRules } from "../../../faults/check/machine-rules.js";
import type {
  CallRecord,
  FieldMap,
  HistoryRecord,
  Observation,
  Outcome,
} from "../../../faults/history/records.js";
import { observationOf } from "../../../faults/history/writer.js";
import { type ChangeDocument, finalOf } from "./final-state.js";
import { TASK } from "./machine.js";

const rules = new MachineRules(TASK);

/** The reply to a simulated call. */
export interface Answer {
  readonly outcome: Outcome;
  readonly document?: Observation;
}

interface Entry {
  readonly id: string;
  readonly document: ChangeDocument;
  /** Monotonic ms, as in the history. Its clock may be set back. */
  readonly at: number;
}

export const START_MS = Date.parse("2026-11-22T10:00:00.000Z");

/** Simulates a correct server in memory. */
export class SimulatedServer {
  readonly stream: Entry[] = [];
  /** By id: the changes of its current life. */
  #lives = new Map<string, Entry[]>();
  /** By id: idempotency keys of ended lives. */
  #past = new Map<string, Set<string>>();
  /** Time of the latest removal. No life begins before it. */
  #removed = "";
  /** Offset of its clock. */
  #aheadMs = 0;

  setClock(aheadMs: number): void {
    this.#aheadMs = aheadMs;
  }

  /** @param at monotonic ms */
  call({ operation, id, to, set, unset, ifVersion, ifState, op = "" }: CallRecord, at: number): Answer {
    const life = this.#lives.get(id);
    const last = life?.at(-1);
    const current = last && snapshotOf(last);
    if (operation === "get") return current ? { outcome: "OK", document: current } : { outcome: "NOTFOUND" };
    if (current === undefined && operation !== "create") return { outcome: "NOTFOUND" };
    const done = life?.find(({ document }) => document.op === op);
    if (current !== undefined && done !== undefined)
      return { outcome: "REPLAYED", document: { ...current, opVersion: done.document.version } };
    const rejected = (outcome: Outcome): Answer => ({ outcome, ...(current && { document: current }) });
    if (this.#past.get(id)?.has(op)) return rejected("FORGOTTEN");
    if (current !== undefined && operation === "create") return rejected("EXISTS");
    if (ifVersion !== undefined && ifVersion !== current?.version) return rejected("CONFLICT");
    if (ifState !== undefined && ifState !== current?.state) return rejected("CONFLICT");
    if (current !== undefined && operation === "transition" && !rules.leads(current.state, to ?? ""))
      return rejected("ILLEGAL");
    const state = operation === "transition" ? (to ?? "") : (current?.state ?? rules.initial);
    const fields = changedFields(current?.fields ?? {}, set, unset);
    if (operation !== "remove" && rules.missingFieldIn(state, fields) !== undefined)
      return rejected("MISSING");
    const document = this.#change(operation, id, op, state, current, fields, at);
    return { outcome: "OK", document: observationOf(document) };
  }

  #change(
    operation: CallRecord["operation"],
    id: string,
    op: string,
    state: string,
    current: Observation | undefined,
    fields: FieldMap,
    at: number,
  ): ChangeDocument {
    const nowMs = START_MS + Math.floor(at) + this.#aheadMs;
    const nowText = new Date(nowMs).toISOString();
    const before = current?.timestamp ?? this.#removed;
    const timestamp = before > nowText ? before : nowText;
    const enters = operation === "create" || operation === "transition";
    const stamp = enters ? rules.stampOf(state) : undefined;
    const stamped = stamp === undefined || Object.hasOwn(fields, stamp) ? {} : { [stamp]: timestamp };
    const type =
      { patch: "task.updated", remove: "task.removed" }[operation as string] ?? rules.eventOf(state);
    const document = {
      ...{ type, machine: TASK.name, id, from: current?.state ?? null, state },
      version: (current?.version ?? 0) + 1,
      timestamp,
      since: enters ? timestamp : (current?.since ?? timestamp),
      createdAt: current?.createdAt ?? timestamp,
      op,
      ...fields,
      ...stamped,
    };
    const [ms, sequence] = (this.stream.at(-1)?.id ?? "0-0").split("-").map(Number) as [number, number];
    const entry = { id: nowMs > ms ? `${nowMs}-0` : `${ms}-${sequence + 1}`, document, at };
    this.stream.push(entry);
    this.#take(entry);
    return document;
  }

  #take(entry: Entry): void {
    const { id, type } = entry.document;
    const life = this.#lives.get(id) ?? [];
    if (type !== "task.removed") {
      life.push(entry);
      this.#lives.set(id, life);
      return;
    }
    const past = this.#past.get(id) ?? new Set();
    for (const { document } of [...life, entry]) if (document.op !== undefined) past.add(document.op);
    this.#past.set(id, past);
    this.#lives.delete(id);
    if (entry.document.timestamp > this.#removed) this.#removed = entry.document.timestamp;
  }

  /** Returns the version that an idempotency key made, or undefined. */
  versionOf(op: string): number | undefined {
    return this.stream.find(({ document }) => document.op === op)?.document.version;
  }

  /** Crashes, and restarts without its last changes. */
  lose(count: number): void {
    this.stream.splice(this.stream.length - count, count);
    this.#lives = new Map();
    this.#past = new Map();
    this.#removed = "";
    for (const entry of this.stream) this.#take(entry);
  }

  /** Returns the final state of the server. */
  *final(): Generator<HistoryRecord> {
    const machine = TASK.name;
    for (const { id: entry, document } of this.stream) {
      yield { kind: "final-event", machine, partition: 0, entry, document: JSON.stringify(document) };
    }
    for (const life of this.#lives.values()) {
      yield* finalOf(
        rules,
        life.map(({ document }) => document),
      );
    }
  }
}

function snapshotOf({ document }: Entry): Observation {
  return observationOf(document);
}
