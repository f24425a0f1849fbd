import { changedFields } from "../../../faults/check/field-map.js";
import { MachineRules } from "../../../faults/check/machine-rules.js";
import { isAfter, positionOf } from "../../../faults/check/position.js";
import { FARTHEST_AHEAD_MS } from "../../../faults/check/witness/log.js";
import type {
  CallRecord,
  FieldMap,
  HistoryRecord,
  Observation,
  Outcome,
} from "../../../faults/history/records.js";
import { observationOf } from "../../../faults/history/writer.js";
import {
  type ChangeDocument,
  FLOOR,
  finalOf,
  floorOf,
  forgottenBy,
  type LoggedDocument,
  lifeIn,
  memoryOf,
  readOf,
} from "./final-state.js";
import { TASK } from "./machine.js";

const rules = new MachineRules(TASK);

/** The reply to a simulated call. */
export interface Answer {
  readonly outcome: Outcome;
  readonly document?: Observation;
}

interface Entry extends LoggedDocument {
  /** Monotonic ms, as in the history. Its clock may be set back. */
  readonly at: number;
}

export const START_MS = Date.parse("2026-11-22T10:00:00.000Z");

/** Simulates a correct server in memory. */
export class SimulatedServer {
  readonly stream: Entry[] = [];
  /** By id: its changes. */
  #logs = new Map<string, Entry[]>();
  /** Offset of its clock. */
  #aheadMs = 0;

  setClock(aheadMs: number): void {
    this.#aheadMs = aheadMs;
  }

  /** @param at monotonic ms */
  call(
    { operation, id, to, set, unset, ifVersion, ifState, op = "", seen = "0-0" }: CallRecord,
    at: number,
  ): Answer {
    const log = this.#logs.get(id) ?? [];
    const { life } = lifeIn(log);
    const last = life.at(-1);
    const current = last && snapshotOf(last);
    if (operation === "get")
      return current ? { outcome: "OK", document: readOf(rules, current) } : { outcome: "NOTFOUND" };
    const done = memoryOf(rules, life).kept.find(({ document }) => document.op === op);
    if (current !== undefined && done !== undefined)
      return { outcome: "REPLAYED", document: { ...current, opVersion: done.document.version } };
    const rejected = (outcome: Outcome): Answer => ({ outcome, ...(current && { document: current }) });
    if (isLater(forgottenBy(rules, log), seen) || isLater(seen, this.end)) return rejected("FORGOTTEN");
    if (current === undefined && operation !== "create") return { outcome: "NOTFOUND" };
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
    const before = current?.timestamp ?? "";
    // If the last change is far ahead, the clock has been corrected.
    const isAhead = current !== undefined && Date.parse(before) - nowMs > FARTHEST_AHEAD_MS;
    const timestamp = before > nowText && !isAhead ? before : nowText;
    const since = current === undefined || current.since > timestamp ? timestamp : current.since;
    const enters = operation === "create" || operation === "transition";
    const stamp = enters ? rules.stampOf(state) : undefined;
    const stamped = stamp === undefined || Object.hasOwn(fields, stamp) ? {} : { [stamp]: timestamp };
    const type =
      { patch: "task.updated", remove: "task.removed" }[operation as string] ?? rules.eventOf(state);
    const document = {
      ...{ type, machine: TASK.name, id, from: current?.state ?? null, state },
      version: (current?.version ?? 0) + 1,
      timestamp,
      since: enters ? timestamp : since,
      createdAt: current?.createdAt ?? timestamp,
      op,
      ...(operation !== "remove" && { ...fields, ...stamped }),
    };
    const [ms, sequence] = this.end.split("-").map(Number) as [number, number];
    const entry = { entry: nowMs > ms ? `${nowMs}-0` : `${ms}-${sequence + 1}`, document, at };
    this.stream.push(entry);
    this.#take(entry);
    return document;
  }

  #take(entry: Entry): void {
    const { id } = entry.document;
    this.#logs.set(id, [...(this.#logs.get(id) ?? []), entry]);
  }

  /** Position of the newest change. */
  get end(): string {
    return this.stream.at(-1)?.entry ?? FLOOR;
  }

  /** Returns the version that an idempotency key made, or undefined. */
  versionOf(op: string): number | undefined {
    return this.stream.find(({ document }) => document.op === op)?.document.version;
  }

  /** Crashes, and restarts without its last changes. */
  lose(count: number): void {
    this.stream.splice(this.stream.length - count, count);
    this.#logs = new Map();
    for (const entry of this.stream) this.#take(entry);
  }

  /** Returns the final state of the server. */
  *final(): Generator<HistoryRecord> {
    const machine = TASK.name;
    for (const { entry, document } of this.stream) {
      yield { kind: "final-event", machine, partition: 0, entry, document: JSON.stringify(document) };
    }
    yield floorOf(machine);
    for (const log of this.#logs.values()) yield* finalOf(rules, log);
  }
}

function isLater(one: string, other: string): boolean {
  const [a, b] = [positionOf(one), positionOf(other)];
  return a !== undefined && b !== undefined && isAfter(a, b);
}

function snapshotOf({ document }: Entry): Observation {
  return observationOf(document);
}
