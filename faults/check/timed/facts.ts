import { HistoryError } from "../../history/parse.js";
import type {
  CallRecord,
  FinalEntityRecord,
  HistoryRecord,
  ReturnRecord,
  RunRecord,
  RunState,
} from "../../history/records.js";
import type {
  ChangeName,
  ClockRecord,
  DeadLetterRecord,
  FiredRecord,
  HandledRecord,
  HeldRecord,
  RenewalRecord,
  SweptRecord,
} from "../../history/timed-records.js";
import { clocksOf, type Injection, Loss } from "../loss.js";

/** A record with its line in the history, from 1. */
export type WithLine<R> = R & { readonly line: number };

/** A change in the log. */
export interface LoggedChange extends ChangeName {
  readonly line: number;
  readonly text: string;
  readonly from: string | null;
  readonly state: string;
  readonly since: string;
  readonly actor?: string;
  readonly reason?: string;
  readonly op?: string;
}

/** Holds everything that the timed history contains about one entity. */
export interface TimedEntity {
  readonly id: string;
  /** In the order of the log. */
  readonly events: LoggedChange[];
  readonly renewals: WithLine<RenewalRecord>[];
  readonly calls: { readonly call: WithLine<CallRecord>; readonly end: WithLine<ReturnRecord> | undefined }[];
  hash: WithLine<FinalEntityRecord> | undefined;
  due: { readonly line: number; readonly score: number } | undefined;
}

/** Holds the whole timed history. */
export interface TimedFacts {
  readonly machine: string;
  readonly states: Readonly<Record<string, RunState>>;
  readonly reactions: NonNullable<RunRecord["reactions"]>;
  readonly entities: ReadonlyMap<string, TimedEntity>;
  readonly held: readonly WithLine<HeldRecord>[];
  readonly fired: readonly WithLine<FiredRecord>[];
  readonly handled: readonly WithLine<HandledRecord>[];
  readonly deadLetters: readonly WithLine<DeadLetterRecord>[];
  readonly swept: WithLine<SweptRecord> | undefined;
  readonly clock: ClockRecord;
  readonly loss: Loss;
  /** Injections that set a server's clock. */
  readonly clocks: readonly Injection[];
}

/** Returns one text that identifies a change. */
export function keyOf({ id, createdAt, version, timestamp, type }: ChangeName): string {
  return `${id} ${createdAt} ${version} ${timestamp} ${type}`;
}

/**
 * Reads the timed history.
 *
 * @throws HistoryError if its records contradict each other
 */
export async function gatherTimed(
  records: AsyncIterable<HistoryRecord> | Iterable<HistoryRecord>,
): Promise<TimedFacts> {
  const gathering = new Gathering();
  for await (const record of records) gathering.take(record);
  return gathering.facts();
}

class Gathering {
  #line = 0;
  #run: RunRecord | undefined;
  #hasEnded = false;
  readonly #entities = new Map<string, TimedEntity>();
  readonly #open = new Map<string, { call: WithLine<CallRecord>; end: WithLine<ReturnRecord> | undefined }>();
  readonly #injections = new Map<number, Injection>();
  readonly #held: WithLine<HeldRecord>[] = [];
  readonly #fired: WithLine<FiredRecord>[] = [];
  readonly #handled: WithLine<HandledRecord>[] = [];
  readonly #deadLetters: WithLine<DeadLetterRecord>[] = [];
  #swept: WithLine<SweptRecord> | undefined;
  #clock: ClockRecord | undefined;

  take(record: HistoryRecord): void {
    this.#line += 1;
    const line = this.#line;
    if (this.#hasEnded || (line === 1) !== (record.kind === "run")) {
      throw new HistoryError(`record ${line} of the history is misplaced`);
    }
    switch (record.kind) {
      case "run":
        this.#run = record;
        return;
      case "call": {
        const entry = { call: { ...record, line }, end: undefined };
        this.#open.set(`${record.process} ${record.number}`, entry);
        this.#entity(record.id).calls.push(entry);
        return;
      }
      case "copy": {
        const { process, number, at, id, op } = record;
        const copied = this.#entity(id).calls.find(({ call }) => call.op === op);
        if (copied === undefined) throw new HistoryError(`record ${line} copies a request that no call made`);
        const entry = { call: { ...copied.call, process, number, at, line }, end: undefined };
        this.#open.set(`${process} ${number}`, entry);
        this.#entity(id).calls.push(entry);
        return;
      }
      case "return":
        this.#return({ ...record, line });
        return;
      case "fault-begin": {
        const { number, name, at } = record;
        this.#injections.set(number, { number, name, begin: at, end: Number.POSITIVE_INFINITY });
        return;
      }
      case "fault-end": {
        const injection = this.#injections.get(record.number);
        if (injection !== undefined) injection.end = record.at;
        return;
      }
      case "renewal":
        this.#entity(record.id).renewals.push({ ...record, line });
        return;
      case "held":
        this.#held.push({ ...record, line });
        return;
      case "fired":
        this.#fired.push({ ...record, line });
        return;
      case "handled":
        this.#handled.push({ ...record, line });
        return;
      case "dead-letter":
        this.#deadLetters.push({ ...record, line });
        return;
      case "swept":
        this.#swept = { ...record, line };
        return;
      case "clock":
        this.#clock = record;
        return;
      case "final-event": {
        const change = JSON.parse(record.document) as Omit<LoggedChange, "line" | "text">;
        this.#entity(change.id).events.push({ ...change, line, text: record.document });
        return;
      }
      case "final-entity":
        this.#entity(record.id).hash = { ...record, line };
        return;
      case "final-due":
        this.#entity(record.id).due = { line, score: record.score };
        return;
      case "end":
        this.#hasEnded = true;
        return;
      default: // fsck checks the index and the lists
    }
  }

  facts(): TimedFacts {
    const [machine] = this.#run?.machines ?? [];
    if (this.#run === undefined || machine === undefined || this.#clock === undefined || !this.#hasEnded) {
      throw new HistoryError("the history is incomplete: it needs a run with a machine, a clock and an end");
    }
    const { loss, reactions = [] } = this.#run;
    const injections = [...this.#injections.values()];
    return {
      machine: machine.name,
      states: machine.states,
      reactions,
      entities: this.#entities,
      held: this.#held,
      fired: this.#fired,
      handled: this.#handled,
      deadLetters: this.#deadLetters,
      swept: this.#swept,
      clock: this.#clock,
      loss: new Loss(loss, injections),
      clocks: clocksOf(this.#run, injections),
    };
  }

  #return(record: WithLine<ReturnRecord>): void {
    const entry = this.#open.get(`${record.process} ${record.number}`);
    if (entry === undefined) throw new HistoryError(`record ${record.line} has no call`);
    entry.end = record;
  }

  #entity(id: string): TimedEntity {
    const known = this.#entities.get(id);
    if (known !== undefined) return known;
    const fresh = { id, events: [], renewals: [], calls: [], hash: undefined, due: undefined };
    this.#entities.set(id, fresh);
    return fresh;
  }
}
