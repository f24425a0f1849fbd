import { HistoryError } from "../history/parse.js";
import type {
  CallRecord,
  EventRecord,
  HistoryRecord,
  Observation,
  ReturnRecord,
  RunRecord,
} from "../history/records.js";
import type { Call, Entity, Facts, FollowerStep, LogEntry, ParsedObservation } from "./facts.js";
import { fingerprint } from "./fingerprint.js";
import { parseLogEntry } from "./log-entry.js";
import { type Injection, Loss } from "./loss.js";
import { MachineRules } from "./machine-rules.js";

/**
 * Reads a whole history once, for all checkers.
 *
 * @throws HistoryError when its records do not fit together: no `run` first, no `end` last, a return without its call, a
 * machine or fault that was not announced, a logged document that is none.
 */
export async function gather(
  records: AsyncIterable<HistoryRecord> | Iterable<HistoryRecord>,
): Promise<Facts> {
  const gathering = new Gathering();
  for await (const record of records) gathering.take(record);
  return gathering.facts();
}

const DONE: ReadonlySet<string> = new Set(["OK", "REPLAYED", "NOTDURABLE"]);

class Gathering {
  #line = 0;
  #run: RunRecord | undefined;
  #hasEnded = false;
  #calls = 0;
  readonly #machines = new Map<
    string,
    { rules: MachineRules; entities: Map<string, Entity>; streams: LogEntry[][] }
  >();
  /** Calls that may still return or be resolved, by process. */
  readonly #open = new Map<string, Map<number, Call>>();
  readonly #injections = new Map<number, Injection>();
  readonly #followers = new Map<string, FollowerStep[]>();
  readonly #words = new Map<string, string>();

  take(record: HistoryRecord): void {
    this.#line += 1;
    if (this.#hasEnded) this.#refuse("stands behind the end");
    if ((this.#line === 1) !== (record.kind === "run"))
      this.#refuse("is not where it belongs: run comes first, once");
    switch (record.kind) {
      case "run":
        this.#begin(record);
        return;
      case "call":
        this.#call(record);
        return;
      case "return":
        this.#return(record);
        return;
      case "resolved":
        this.#openCall(record).resolved = { ...record, line: this.#line };
        return;
      case "fault-begin": {
        const { number, name, at } = record;
        this.#injections.set(number, { number, name, begin: at, end: Number.POSITIVE_INFINITY });
        return;
      }
      case "fault-end": {
        const injection = this.#injections.get(record.number);
        if (injection === undefined) throw this.#problem("ends a fault that never began");
        injection.end = record.at;
        return;
      }
      case "follow":
        this.#machine(record.machine);
        this.#follower(record.follower).push({ ...record, line: this.#line });
        return;
      case "event":
        this.#event(record);
        return;
      case "gap":
      case "followed":
        this.#follower(record.follower).push({ kind: record.kind, at: record.at, line: this.#line });
        return;
      case "final-entity":
        this.#entity(record.machine, record.id).hash = { line: this.#line, value: record.hash };
        return;
      case "final-index":
        this.#entity(record.machine, record.id).index = { line: this.#line, value: record.score };
        return;
      case "final-due":
        this.#entity(record.machine, record.id).due = { line: this.#line, value: record.score };
        return;
      case "final-log": {
        const value = record.documents.map(fingerprint);
        this.#entity(record.machine, record.id).list = { line: this.#line, value };
        return;
      }
      case "final-event": {
        const { streams } = this.#machine(record.machine);
        while (streams.length <= record.partition) streams.push([]);
        const logged = parseLogEntry(record, this.#line, (id) => this.#entity(record.machine, id));
        if (typeof logged === "string") throw this.#problem(logged);
        streams[record.partition]?.push(logged);
        logged.entity.events.push(logged);
        return;
      }
      case "end":
        this.#hasEnded = true;
        return;
      default:
        this.#refuse("belongs to the history of those that live by time");
    }
  }

  facts(): Facts {
    if (this.#run === undefined) throw new HistoryError("the history is empty");
    if (!this.#hasEnded) throw new HistoryError("the history has no end record: it is not whole");
    const machines = [...this.#machines.values()];
    return {
      entities: machines.flatMap(({ entities }) => [...entities.values()]),
      streams: new Map([...this.#machines].map(([name, { streams }]) => [name, streams])),
      followers: this.#followers,
      loss: new Loss(this.#run.loss, [...this.#injections.values()]),
      calls: this.#calls,
    };
  }

  #problem(problem: string): HistoryError {
    return new HistoryError(`record ${this.#line} of the history ${problem}`);
  }

  #refuse(problem: string): never {
    throw this.#problem(problem);
  }

  #begin(run: RunRecord): void {
    this.#run = run;
    for (const machine of run.machines) {
      const rules = new MachineRules(machine);
      this.#machines.set(machine.name, { rules, entities: new Map(), streams: [] });
    }
  }

  #machine(name: string) {
    return (
      this.#machines.get(name) ??
      this.#refuse(`names the machine ${name}, which the run record does not have`)
    );
  }

  #entity(machine: string, id: string): Entity {
    const { rules, entities } = this.#machine(machine);
    const known = entities.get(id);
    if (known !== undefined) return known;
    const entity: Entity = {
      ...{ machine: rules, id, calls: [], events: [] },
      ...{ hash: undefined, index: undefined, due: undefined, list: undefined },
    };
    entities.set(id, entity);
    return entity;
  }

  #call(record: CallRecord): void {
    const { number, operation, at, to, set, unset, ifVersion, ifState, op } = record;
    const process = this.#once(record.process);
    if (operation !== "get" && op === undefined) this.#refuse("is a change without an op");
    if (operation === "transition" && to === undefined) this.#refuse("is a transition to nowhere");
    const entity = this.#entity(record.machine, record.id);
    const { force = false, durability = "memory" } = record;
    // Written out: there may be millions of them, and spreading makes slow and large objects.
    const call: Call = {
      line: this.#line,
      process,
      number,
      entity,
      operation: this.#once(operation),
      at,
      to: to === undefined ? undefined : this.#once(to),
      set,
      unset,
      ifVersion,
      ifState,
      force,
      op,
      durability: this.#once(durability),
      returnLine: 0,
      until: Number.POSITIVE_INFINITY,
      outcome: "UNKNOWN",
      seen: undefined,
      attempts: undefined,
      resolved: undefined,
    };
    entity.calls.push(call);
    this.#calls += 1;
    const open = this.#open.get(process) ?? new Map<number, Call>();
    this.#open.set(process, open);
    if (open.has(number)) this.#refuse(`is the second call ${number} of ${process}`);
    open.set(number, call);
  }

  #openCall({ process, number }: { readonly process: string; readonly number: number }): Call {
    return (
      this.#open.get(process)?.get(number) ?? this.#refuse(`belongs to no open call ${number} of ${process}`)
    );
  }

  #return(record: ReturnRecord): void {
    const call = this.#openCall(record);
    if (call.returnLine !== 0) this.#refuse(`is the second return of call ${call.number} of ${call.process}`);
    if (record.outcome !== "UNKNOWN") this.#open.get(call.process)?.delete(call.number);
    call.returnLine = this.#line;
    call.until = record.at;
    call.outcome = this.#once(record.outcome);
    call.attempts = record.attempts;
    call.seen = record.document && this.#seen(record.document);
    const isDone = DONE.has(record.outcome);
    if (isDone && call.seen === undefined) this.#refuse("tells of a change or a read, but not what it gave");
    if (record.outcome === "REPLAYED" && call.seen?.opVersion === undefined)
      this.#refuse("lacks the opVersion");
  }

  #seen({ state, version, timestamp, since, createdAt, fields, opVersion }: Observation): ParsedObservation {
    return {
      state: this.#once(state),
      version,
      timestamp: Date.parse(timestamp),
      since: Date.parse(since),
      created: Date.parse(createdAt),
      fields,
      opVersion,
    };
  }

  /** The same text for the same word, so that a million of them take no room. */
  #once<W extends string>(word: W): W {
    const known = this.#words.get(word);
    if (known === undefined) this.#words.set(word, word);
    return (known ?? word) as W;
  }

  #event({ follower, at, cursor, document }: EventRecord): void {
    const content = fingerprint(JSON.stringify(document));
    this.#follower(follower).push({ kind: "event", line: this.#line, at, cursor, content });
  }

  #follower(name: string): FollowerStep[] {
    const steps = this.#followers.get(name) ?? [];
    this.#followers.set(name, steps);
    return steps;
  }
}
