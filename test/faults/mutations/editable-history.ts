import { MachineRules } from "../../../faults/check/machine-rules.js";
import type {
  CallRecord,
  FinalEventRecord,
  HistoryRecord,
  Observation,
  ResolvedRecord,
  ReturnRecord,
} from "../../../faults/history/records.js";
import { observationOf } from "../../../faults/history/writer.js";
import type { Random } from "../../../faults/random.js";
import { type ChangeDocument, finalOf, type LoggedDocument, readOf } from "../simulation/final-state.js";

/** A call and its return. */
export interface Exchange {
  readonly call: CallRecord;
  readonly back: ReturnRecord;
  readonly observation: Observation | undefined;
}

/** An entry of the log. */
export interface LogRecord extends LoggedDocument {
  readonly record: FinalEventRecord;
}

/** A history to mutate: finds places for mutations and collects their edits. It does not change the records. */
export class EditableHistory {
  readonly random: Random;
  readonly returned: readonly Exchange[];
  readonly resolved: readonly ResolvedRecord[];
  /** The logs by machine and id. */
  readonly logs: readonly (readonly LogRecord[])[];
  readonly #records: readonly HistoryRecord[];
  readonly #rules: ReadonlyMap<string, MachineRules>;
  readonly #calls = new Map<string, CallRecord>();
  readonly #edits = new Map<HistoryRecord, readonly HistoryRecord[]>();
  readonly #returnOf = new Map<string, Exchange>();

  constructor(records: readonly HistoryRecord[], random: Random) {
    this.random = random;
    this.#records = records;
    const [run] = records;
    const machines = run?.kind === "run" ? run.machines : [];
    this.#rules = new Map(machines.map((machine) => [machine.name, new MachineRules(machine)]));
    const logs = new Map<string, LogRecord[]>();
    const returned: Exchange[] = [];
    for (const record of records) {
      if (record.kind === "call") this.#calls.set(`${record.process} ${record.number}`, record);
      else if (record.kind === "return") {
        const call = this.callOf(record);
        const one = { call, back: record, observation: record.document };
        returned.push(one);
        const change = `${call.id} ${call.op}`;
        // A retry may receive the change too, if the log has it, long after it was applied.
        if (call.op !== undefined && record.outcome === "OK" && !this.#returnOf.has(change))
          this.#returnOf.set(change, one);
      } else if (record.kind === "final-event") {
        const document = JSON.parse(record.document) as ChangeDocument;
        const key = `${document.machine} ${document.id}`;
        const log = logs.get(key) ?? [];
        logs.set(key, log);
        log.push({ record, entry: record.entry, document });
      }
    }
    this.returned = returned;
    this.resolved = records.filter((record) => record.kind === "resolved");
    this.logs = [...logs.values()];
  }

  get records(): readonly HistoryRecord[] {
    return this.#records;
  }

  callOf({ process, number }: { readonly process: string; readonly number: number }): CallRecord {
    const call = this.#calls.get(`${process} ${number}`);
    if (call === undefined) throw new Error(`There is no call ${number} of ${process}`);
    return call;
  }

  rulesOf(machine: string): MachineRules {
    const rules = this.#rules.get(machine);
    if (rules === undefined) throw new Error(`There is no machine ${machine}`);
    return rules;
  }

  /** Returns the call that reported this change as its own. */
  makerOf({ document: { id, op } }: LogRecord): Exchange | undefined {
    return this.#returnOf.get(`${id} ${op}`);
  }

  logOf(id: string): readonly LogRecord[] {
    return this.logs.find(([first]) => first?.document.id === id) ?? [];
  }

  /** Replaces a record with others, or with none. */
  replace(record: HistoryRecord, ...others: readonly HistoryRecord[]): void {
    this.#edits.set(record, others);
  }

  rewrite(written: LogRecord, change: Partial<ChangeDocument>): void {
    const document = JSON.stringify({ ...written.document, ...change });
    this.replace(written.record, { ...written.record, document });
  }

  /** Replaces the log of an existing entity, and its final state with what follows from the log. */
  endWith(log: readonly LogRecord[], documents: readonly ChangeDocument[]): void {
    const [first] = log;
    if (first === undefined) return;
    const { machine, id } = first.document;
    const changes = documents.map((document, at) => {
      const entry = log[at]?.entry ?? `${Number(this.#lastEntry().split("-")[0]) + at}-0`;
      return { entry, document };
    });
    const entries = changes.map(
      ({ entry, document }): HistoryRecord => ({
        ...first.record,
        entry,
        document: JSON.stringify(document),
      }),
    );
    log.forEach(({ record }, at) => {
      this.replace(record, ...entries.slice(at, at + 1));
    });
    const state = [...finalOf(this.rulesOf(machine), changes)];
    const more = [...entries.slice(log.length), ...state];
    const end = this.#records.at(-1);
    for (const record of this.#records) {
      const isState = record.kind.startsWith("final-") && record.kind !== "final-event";
      if (isState && "id" in record && record.id === id) this.replace(record);
    }
    if (end !== undefined) this.replace(end, ...more, end);
  }

  #lastEntry(): string {
    return this.#records.findLast((record) => record.kind === "final-event")?.entry ?? "0-0";
  }

  /** Adds a read of the entity at the end. */
  readAtEnd(document: ChangeDocument): void {
    const end = this.#records.find((record) => record.kind === "final-event") ?? this.#records.at(-1);
    const last = this.#records.at(-1);
    const at = (last !== undefined && "at" in last ? last.at : 0) + 1;
    const { machine, id } = document;
    const who = { process: "late-reader", number: 1 } as const;
    const call: CallRecord = { kind: "call", ...who, at, operation: "get", machine, id };
    const back: ReturnRecord = {
      kind: "return",
      ...who,
      at: at + 1,
      outcome: "OK",
      document: readOf(this.rulesOf(machine), observationOf(document)),
    };
    if (end !== undefined) this.replace(end, call, back, ...(this.#edits.get(end) ?? [end]));
  }

  /** Returns the history with all edits. */
  result(): HistoryRecord[] {
    return this.#records.flatMap((record) => this.#edits.get(record) ?? [record]);
  }
}
