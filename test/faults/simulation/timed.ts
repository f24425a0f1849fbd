import { compileMachine } from "latchkey";
import type { HistoryRecord, Observation } from "../../../faults/history/records.js";
import { nameOf } from "../../../faults/history/timed-records.js";
import { DEAD_LETTER_AFTER, REACTION, shift } from "../../../faults/machines/shift.js";

/** The server's clock minus CLOCK_MONOTONIC. */
const AHEAD_MS = Date.UTC(2026, 10, 22);
export const LEASE_MS = compileMachine(shift).states.held?.lease?.for ?? 0;
export const FAULT = "F10 failover";
/** Server time until which sweepers fired what was due. */
export const UNTIL_MS = AHEAD_MS + 20_000;
const ATTEMPT_MS = 10;

/** Formats a server time. */
export function iso(at: number): string {
  return new Date(AHEAD_MS + at).toISOString();
}

/** A change in the log. */
interface Document extends Observation {
  readonly id: string;
  readonly type: string;
  readonly op?: string;
  readonly actor?: string;
}

/** Records the life of one entity. */
class Story {
  readonly records: HistoryRecord[] = [];
  readonly events: { readonly at: number; readonly document: Document }[] = [];
  readonly #id: string;
  readonly #process = "holder-1";
  #calls: number;

  constructor(id: string, number: number) {
    this.#id = id;
    this.#calls = number * 100;
  }

  get last(): Document {
    const last = this.events.at(-1);
    if (last === undefined) throw new Error("Nothing has happened yet");
    return last.document;
  }

  /** Makes a call of the holder. */
  call(at: number, state: string): void {
    const isFirst = this.events.length === 0;
    const op = `${this.#id}-${state}`;
    const to = isFirst ? {} : { to: state, ifVersion: this.last.version };
    this.#request(at, { operation: isFirst ? "create" : "transition", ...to, op });
    this.#change(at, state, `shift.${state}`, { op });
    this.#reply(at, "OK");
  }

  /** Writes with the expected version from before the loss. */
  writeAfterLoss(at: number): void {
    const op = `${this.#id}-patch`;
    this.#request(at, {
      operation: "patch",
      ifVersion: this.last.version - 1,
      set: { regardless: true },
      op,
    });
    this.#reply(at, "CONFLICT");
  }

  renew(...times: readonly number[]): void {
    const { since, version } = this.last;
    for (const at of times) {
      const renewal = { process: this.#process, id: this.#id, since, version, at, until: at + 1 };
      this.records.push({ kind: "renewal", ...renewal });
    }
  }

  held(at: number, until: number, ended: "lost" | "changed"): void {
    const { since } = this.last;
    this.records.push({ kind: "held", process: this.#process, id: this.#id, since, at, until, ended });
  }

  /** Fires a timer that was due at a time. */
  fire(at: number, state: string, what: string, dueAt: number, from: string): void {
    const isRemoved = state === "removed";
    const reason = `${what} expired at ${iso(dueAt)}, ${from}`;
    const entered = isRemoved ? this.last.state : state;
    this.#change(at, entered, `shift.${state}`, { actor: "latchkey", reason });
    this.records.push({ kind: "fired", process: "sweeper-1", at: at + 1, ...nameOf({ ...this.last }) });
  }

  #request(at: number, words: object): void {
    this.#calls += 1;
    const call = { process: this.#process, number: this.#calls, at, machine: shift.name, id: this.#id };
    this.records.push({ kind: "call", ...call, operation: "patch", ...words });
  }

  #reply(at: number, outcome: "OK" | "CONFLICT"): void {
    const { state, version, timestamp, since, createdAt } = this.last;
    const document = { state, version, timestamp, since, createdAt, fields: {} };
    const end = { process: this.#process, number: this.#calls, at: at + 1, outcome, document };
    this.records.push({ kind: "return", ...end });
  }

  #change(at: number, state: string, type: string, words: object): void {
    const before = this.events.at(-1)?.document;
    const facts = { machine: shift.name, id: this.#id, from: before?.state ?? null, state };
    const times = { timestamp: iso(at), since: type === "shift.removed" ? (before?.since ?? "") : iso(at) };
    const version = (before?.version ?? 0) + 1;
    const createdAt = before?.createdAt ?? iso(at);
    const document: Document = { type, ...facts, version, ...times, createdAt, fields: {}, ...words };
    this.events.push({ at, document });
  }
}

/** Makes a history that keeps every guarantee: one entity for each end of a stay, and one that continues. */
export function timedHistory(): HistoryRecord[] {
  const kept = new Story("kept", 1);
  kept.call(1_000, "waiting");
  kept.call(1_100, "held");
  kept.renew(1_150, 1_800, 2_500);
  kept.held(1_150, 3_500, "changed");
  kept.call(3_510, "done");
  kept.fire(7_600, "removed", "retention of 4s", 7_510, `done since ${iso(3_510)}`);

  const left = new Story("left", 2);
  left.call(1_000, "waiting");
  left.call(1_100, "held");
  left.renew(1_150, 1_700, 2_300, 3_000);
  left.held(1_150, 3_000 + LEASE_MS - 10, "lost");
  left.fire(5_200, "lost", "lease of 2s", 3_000 + LEASE_MS, `last renewed at ${iso(3_000)}`);
  left.writeAfterLoss(5_300);

  const late = new Story("late", 3);
  late.call(1_000, "waiting");
  late.fire(3_100, "late", "timeout of 2s", 3_000, `waiting since ${iso(1_000)}`);

  const now = new Story("now", 4);
  now.call(18_000, "waiting");
  now.call(18_100, "held");
  now.renew(18_150, 18_800);

  const stories = [kept, left, late, now];
  const isPoisoned = ({ id, version }: Document): boolean => id === "left" && version === 2;
  const logged = stories.flatMap(({ events }) => events).sort((a, b) => a.at - b.at);
  const { state, version, since, createdAt } = now.last;
  const renewed = AHEAD_MS + 18_800;
  const entered = Date.parse(since);
  const hash = {
    state,
    version: `${version}`,
    "times:ms": `${entered} ${entered} ${renewed}`,
    created: createdAt,
  };
  const place = { machine: shift.name, id: "now" };
  return [
    {
      ...{ kind: "run", format: 2, seed: 1, topology: "standalone", command: "none", startedAt: iso(0) },
      machines: [compileMachine(shift)],
      loss: [],
      clocks: [],
      reactions: [{ name: REACTION, deadLetterAfter: DEAD_LETTER_AFTER }],
    },
    ...stories.flatMap(({ records }) => records),
    ...logged.flatMap(({ at, document }) => handled(at + 5, document, isPoisoned(document))),
    { kind: "swept", at: 20_000, untilMs: UNTIL_MS, stuck: [] },
    ...logged.flatMap(({ document }): HistoryRecord[] => {
      if (!isPoisoned(document)) return [];
      const letter = { document: JSON.stringify(document), tries: DEAD_LETTER_AFTER, error: "Error: no" };
      return [{ kind: "dead-letter", reaction: REACTION, ...letter }];
    }),
    { kind: "clock", least: AHEAD_MS, most: AHEAD_MS },
    { kind: "final-entity", ...place, hash },
    { kind: "final-due", ...place, score: renewed + LEASE_MS },
    ...logged.map(({ document }, at): HistoryRecord => {
      const entry = `${Date.parse(document.timestamp)}-${at}`;
      const text = JSON.stringify(document);
      return { kind: "final-event", machine: shift.name, partition: 0, entry, document: text };
    }),
    { kind: "end", at: 30_000 },
  ];
}

/** Records how a handler handles an event: it succeeds at once, or never. */
function handled(at: number, document: Document, isPoisoned: boolean): HistoryRecord[] {
  const tries = isPoisoned ? DEAD_LETTER_AFTER : 1;
  const step = isPoisoned ? "failed" : "done";
  return Array.from({ length: tries }, (_, i): HistoryRecord[] => {
    const one = { process: "reactor-1", ...nameOf({ ...document }), attempt: i + 1 };
    const begun = at + i * ATTEMPT_MS;
    return [
      { kind: "handled", ...one, at: begun, step: "begun" },
      { kind: "handled", ...one, at: begun + 1, step },
    ];
  }).flat();
}
