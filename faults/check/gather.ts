import { HistoryError } from "../history/parse.js";
import type {
  CallRecord,
  CopyRecord,
  EventRecord,
  HistoryRecord,
  Observation,
  ReturnRecord,
  RunRecord,
} from "../history/records.js";
import type { Call, Entity, Facts, FollowerStep, LogEntry, ParsedObservation } from "./facts.js";
import { fingerprint } from "./fingerprint.js";
import { parseLogEntry } from "./log-entry.js";
import { clocksOf, type Injection, Loss } from "./loss.js";
import { MachineRules } from "./machine-rules.js";
import { positionOf } from "./position.js";

/**
 * Reads a whole history once, for all checkers.
 *
 * @throws HistoryError if its records contradict each other: `run` is not first, `end` is not last, a return has no call,
 * a machine or fault is unknown, or a logged document is invalid
 */
export async function gather(
  records: AsyncIterable<HistoryRecord> | Iterable<HistoryRecord>,
): Promise<Facts> {
  const gathering = new Gathering();
  for await (const record of records) gathering.take(record);
  return gathering.facts();
}

/** Returns the entry IDs of a cursor, without what identifies the entries' content. */
function entryIds(cursor: string): string {
  return cursor.replace(/@[^,]*/g, "");
}

const DONE: ReadonlySet<string> = new Set(["OK", "REPLAYED", "NOTDURABLE"]);

class Gathering {
  #line = 0;
  #run: RunRecord | undefined;
  #hasEnded = false;
  #calls = 0;
  readonly #machines = new Map<
    string,
    { rules: MachineRules; entities: Map<string, Entity>; streams: LogEntry[][]; floors: Map<number, string> }
  >();
  /** Calls that may still return or be resolved, by process. */
  readonly #open = new Map<string, Map<number, Call>>();
  readonly #injections = new Map<number, Injection>();
  readonly #followers = new Map<string, FollowerStep[]>();
  readonly #words = new Map<string, string>();

  take(record: HistoryRecord): void {
    this.#line += 1;
    if (this.#hasEnded) this.#reject("follows the end record");
    if ((this.#line === 1) !== (record.kind === "run"))
      this.#reject("is misplaced: the run record must be the first one, once");
    switch (record.kind) {
      case "run":
        this.#begin(record);
        return;
      case "call":
        this.#call(record);
        return;
      case "copy":
        this.#copy(record);
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
        this.#follower(record.follower).push({
          ...record,
          line: this.#line,
          after: entryIds(record.after),
        });
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
        this.#entity(record.machine, record.id).list = { line: this.#line, value: record.elements };
        return;
      }
      case "final-floor":
        this.#machine(record.machine).floors.set(record.partition, record.floor);
        return;
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
        this.#reject("belongs to the timed history");
    }
  }

  facts(): Facts {
    if (this.#run === undefined) throw new HistoryError("the history is empty");
    if (!this.#hasEnded) throw new HistoryError("the history has no end record: it is incomplete");
    const machines = [...this.#machines.values()];
    for (const { streams, floors } of machines) {
      for (const [partition, floor] of floors) {
        for (const { entity } of streams[partition] ?? []) entity.floor = floor;
      }
    }
    const injections = [...this.#injections.values()];
    return {
      entities: machines.flatMap(({ entities }) => [...entities.values()]),
      streams: new Map([...this.#machines].map(([name, { streams }]) => [name, streams])),
      followers: this.#followers,
      loss: new Loss(this.#run.loss, injections),
      clocks: clocksOf(this.#run, injections),
      calls: this.#calls,
    };
  }

  #problem(problem: string): HistoryError {
    return new HistoryError(`record ${this.#line} of the history ${problem}`);
  }

  #reject(problem: string): never {
    throw this.#problem(problem);
  }

  #begin(run: RunRecord): void {
    this.#run = run;
    for (const machine of run.machines) {
      const rules = new MachineRules(machine);
      this.#machines.set(machine.name, { rules, entities: new Map(), streams: [], floors: new Map() });
    }
  }

  #machine(name: string) {
    return this.#machines.get(name) ?? this.#reject(`names the unknown machine ${name}`);
  }

  #entity(machine: string, id: string): Entity {
    const { rules, entities } = this.#machine(machine);
    const known = entities.get(id);
    if (known !== undefined) return known;
    const entity: Entity = {
      ...{ machine: rules, id, floor: "0-0", calls: [], events: [] },
      ...{ hash: undefined, index: undefined, due: undefined, list: undefined },
    };
    entities.set(id, entity);
    return entity;
  }

  #call(record: CallRecord): void {
    const { number, operation, at, to, set, unset, ifVersion, ifState, op, seen, notAfter } = record;
    const process = this.#intern(record.process);
    if (operation !== "get" && op === undefined) this.#reject("is a change without an idempotency key");
    if (operation === "transition" && to === undefined) this.#reject("is a transition without a target");
    const entity = this.#entity(record.machine, record.id);
    const { force = false, durability = "memory" } = record;
    // Written out, because there may be millions of calls, and spreading makes slow and large objects.
    const call: Call = {
      line: this.#line,
      process,
      number,
      isCopy: false,
      entity,
      operation: this.#intern(operation),
      at,
      to: to === undefined ? undefined : this.#intern(to),
      set,
      unset,
      ifVersion,
      ifState,
      force,
      op,
      seen: seen === undefined ? undefined : positionOf(seen),
      notAfter,
      durability: this.#intern(durability),
      returnLine: 0,
      until: Number.POSITIVE_INFINITY,
      outcome: "UNKNOWN",
      observation: undefined,
      position: undefined,
      resolved: undefined,
    };
    this.#calls += 1;
    this.#add(call);
  }

  #add(call: Call): void {
    const { process, number, entity } = call;
    entity.calls.push(call);
    const open = this.#open.get(process) ?? new Map<number, Call>();
    this.#open.set(process, open);
    if (open.has(number)) this.#reject(`is the second call ${number} of ${process}`);
    open.set(number, call);
  }

  /** Adds a call with the same request as the one that was copied. */
  #copy({ process, number, at, machine, id, op, notAfter }: CopyRecord): void {
    const entity = this.#entity(machine, id);
    const original = entity.calls.find((call) => call.op === op);
    if (original === undefined)
      this.#reject(`copies a request with the key ${op}, which no call before it has`);
    const unknown = { returnLine: 0, until: Number.POSITIVE_INFINITY, outcome: "UNKNOWN" } as const;
    const nothing = { observation: undefined, position: undefined, resolved: undefined, notAfter };
    this.#add({
      ...original,
      line: this.#line,
      process: this.#intern(process),
      number,
      isCopy: true,
      at,
      ...unknown,
      ...nothing,
    });
  }

  #openCall({ process, number }: { readonly process: string; readonly number: number }): Call {
    return (
      this.#open.get(process)?.get(number) ?? this.#reject(`has no pending call ${number} of ${process}`)
    );
  }

  #return(record: ReturnRecord): void {
    const call = this.#openCall(record);
    if (call.returnLine !== 0) this.#reject(`is the second return of call ${call.number} of ${call.process}`);
    if (record.outcome !== "UNKNOWN") this.#open.get(call.process)?.delete(call.number);
    call.returnLine = this.#line;
    call.until = record.at;
    call.outcome = this.#intern(record.outcome);
    call.position = record.position === undefined ? undefined : positionOf(record.position);
    call.observation = record.document && this.#observation(record.document);
    const isDone = DONE.has(record.outcome);
    if (isDone && call.observation === undefined) this.#reject("is a success without a document");
    if (record.outcome === "REPLAYED" && call.observation?.opVersion === undefined)
      this.#reject("lacks the opVersion");
  }

  #observation({
    state,
    version,
    timestamp,
    since,
    createdAt,
    fields,
    dueAt,
    opVersion,
  }: Observation): ParsedObservation {
    return {
      state: this.#intern(state),
      version,
      timestamp: Date.parse(timestamp),
      since: Date.parse(since),
      created: Date.parse(createdAt),
      fields,
      dueAt: dueAt === undefined ? undefined : Date.parse(dueAt),
      opVersion,
    };
  }

  /** Returns one shared text for equal words, which saves memory. */
  #intern<W extends string>(word: W): W {
    const known = this.#words.get(word);
    if (known === undefined) this.#words.set(word, word);
    return (known ?? word) as W;
  }

  #event({ follower, at, cursor, document }: EventRecord): void {
    const content = fingerprint(JSON.stringify(document));
    this.#follower(follower).push({ kind: "event", line: this.#line, at, cursor: entryIds(cursor), content });
  }

  #follower(name: string): FollowerStep[] {
    const steps = this.#followers.get(name) ?? [];
    this.#followers.set(name, steps);
    return steps;
  }
}
