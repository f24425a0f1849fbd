import type { Facts, FollowerStep, LogEntry } from "../facts.js";
import { isAfter, positionOf, positionText } from "../position.js";
import type { Findings } from "../report.js";

type Streams = readonly (readonly LogEntry[])[];
type EventStep = Extract<FollowerStep, { kind: "event" }>;

/** Checks that each iteration returned every change between its first and last cursor once, in order, unchanged. */
export function checkFollowers({ followers, streams, loss }: Facts, findings: Findings): void {
  for (const [name, steps] of followers) {
    let reading: Reading | undefined;
    for (const step of steps) {
      if (step.kind === "follow") {
        const of = streams.get(step.machine) ?? [];
        reading = Reading.begin(name, of, step, reading);
      }
      const problem = reading === undefined ? `${name} read without a follow record` : reading.take(step);
      if (problem === undefined) continue;
      // The follower may have read a change that was lost then.
      const lost = problem === LOST ? loss.of(step.at, step.at) : undefined;
      if (lost !== undefined) findings.lose("events", lost);
      else {
        const message =
          problem === LOST ? `${name} read a change that the log does not have in this form` : problem;
        findings.add("followers", undefined, message, step.line);
      }
    }
  }
}

const LOST = Symbol("a change that the log does not have");

/** Tracks one iteration of a follower by its position in each partition's stream. */
class Reading {
  readonly #name: string;
  readonly #streams: Streams;
  /** Position of the next change in each partition; undefined until the first change shows it. */
  readonly #next: (number | undefined)[];
  #ids: readonly string[] | undefined;
  #problem: string | undefined;
  /** True after a gap: the next iteration may start later. */
  #hasGap = false;

  private constructor(name: string, streams: Streams, after: string) {
    this.#name = name;
    this.#streams = streams;
    const ids = after === "start" || after === "end" ? undefined : idsOf(after);
    this.#ids = ids;
    this.#next = streams.map((stream, partition) => {
      const id = ids?.[partition];
      return id === undefined ? undefined : positionAfter(stream, id);
    });
  }

  /** Begins where the previous iteration ended, or earlier; later only after a gap. */
  static begin(
    name: string,
    streams: Streams,
    { after }: { readonly after: string },
    last: Reading | undefined,
  ): Reading {
    const reading = new Reading(name, streams, after);
    if (last === undefined || last.#hasGap || last.#streams !== streams || after === "start") return reading;
    const skipped = reading.#next.findIndex((next, partition) => {
      const reached = last.#next[partition];
      return reached !== undefined && (next === undefined || next > reached);
    });
    if (skipped >= 0) {
      const unread = streams[skipped]?.[last.#next[skipped] ?? 0];
      reading.#problem = `${name} continued after ${entryWords(unread)}, which it had not read`;
    }
    return reading;
  }

  take(step: FollowerStep): string | typeof LOST | undefined {
    switch (step.kind) {
      case "follow":
        return this.#problem;
      case "gap":
        this.#hasGap = true;
        return undefined;
      case "event":
        return this.#event(step);
      case "followed": {
        const short = this.#next.findIndex(
          (next, partition) => next !== undefined && next !== this.#streams[partition]?.length,
        );
        const unread = this.#streams[short]?.[this.#next[short] ?? 0];
        return short < 0 ? undefined : `${this.#name} ended before ${entryWords(unread)}`;
      }
    }
  }

  #event(step: EventStep): string | typeof LOST | undefined {
    const ids = idsOf(step.cursor);
    const before = this.#ids;
    this.#ids = ids;
    const moved = ids.flatMap((id, partition) => (id === before?.[partition] ? [] : [partition]));
    if (before !== undefined && moved.length !== 1) {
      return `${this.#name} read a change, but its cursor moved in ${moved.length} partitions`;
    }
    // At the start, the cursor does not show in which partition it moved. The change itself does.
    const partition = moved.find((one) => this.#isInLog(one, ids[one] ?? "", step)) ?? moved[0] ?? 0;
    const stream = this.#streams[partition] ?? [];
    const place = positionAfter(stream, ids[partition] ?? "");
    const due = this.#next[partition];
    this.#next[partition] = place;
    if (!this.#isInLog(partition, ids[partition] ?? "", step)) return LOST;
    if (due === undefined || place === due + 1) return undefined;
    return place > due + 1
      ? `${this.#name} never read ${entryWords(stream[due])}, but ${entryWords(stream[place - 1])} after it`
      : `${this.#name} read ${entryWords(stream[place - 1])} again, or out of order`;
  }

  #isInLog(partition: number, id: string, { content }: EventStep): boolean {
    const stream = this.#streams[partition] ?? [];
    const entry = stream[positionAfter(stream, id) - 1];
    return entry !== undefined && positionText(entry.position) === id && entry.content === content;
  }
}

/** Returns the entry of a cursor in each partition. */
function idsOf(cursor: string): string[] {
  return cursor.split(",").map((position) => position.replace(/@.*/, ""));
}

function entryWords(entry: LogEntry | undefined): string {
  if (entry === undefined) return "a nonexistent entry";
  const { position, entity, version } = entry;
  return `${positionText(position)} (${entity.id} version ${version})`;
}

/** Returns how many entries of a stream are at or before an ID. */
function positionAfter(stream: readonly LogEntry[], id: string): number {
  const position = positionOf(id) ?? { ms: 0, sequence: 0 };
  let low = 0;
  let high = stream.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = stream[middle];
    if (entry !== undefined && isAfter(entry.position, position)) high = middle;
    else low = middle + 1;
  }
  return low;
}
