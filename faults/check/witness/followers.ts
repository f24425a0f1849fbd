import type { Facts, FollowerStep, LogEntry } from "../facts.js";
import type { Findings } from "../report.js";

type Streams = readonly (readonly LogEntry[])[];
type EventStep = Extract<FollowerStep, { kind: "event" }>;

/** Every iteration gave each change between its first and last cursor once, in the order of the log, unchanged. */
export function checkFollowers({ followers, streams, loss }: Facts, findings: Findings): void {
  for (const [name, steps] of followers) {
    let reading: Reading | undefined;
    for (const step of steps) {
      if (step.kind === "follow") {
        const of = streams.get(step.machine) ?? [];
        reading = Reading.begin(name, of, step, reading);
      }
      const problem = reading === undefined ? `${name} read without having begun` : reading.take(step);
      if (problem === undefined) continue;
      // A follower may have been given what was lost then.
      const lost = problem === LOST ? loss.of(step.at, step.at) : undefined;
      if (lost !== undefined) findings.lose("events", lost);
      else {
        const message =
          problem === LOST
            ? `${name} was given a change that the log does not have, or has otherwise`
            : problem;
        findings.add("followers", undefined, message, step.line);
      }
    }
  }
}

const LOST = Symbol("a change that the log does not have");

/** One iteration of a follower, by the places in each partition's stream. */
class Reading {
  readonly #name: string;
  readonly #streams: Streams;
  /** For each partition the place of the change that comes next; undefined until the first one tells. */
  readonly #next: (number | undefined)[];
  #ids: readonly string[] | undefined;
  #problem: string | undefined;
  /** It was told of a gap, so it may go on further behind. */
  #hasGap = false;

  private constructor(name: string, streams: Streams, after: string) {
    this.#name = name;
    this.#streams = streams;
    const ids = after === "start" || after === "end" ? undefined : after.split(",");
    this.#ids = ids;
    this.#next = streams.map((stream, partition) => {
      const id = ids?.[partition];
      return id === undefined ? undefined : placeBehind(stream, id);
    });
  }

  /** Goes on where the one before ended, or earlier; further behind only after a gap. */
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
      reading.#problem = `${name} went on behind ${placeWords(unread)}, which it had not been given`;
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
        return short < 0
          ? undefined
          : `${this.#name} ended before ${placeWords(unread)}, the log's end is further on`;
      }
    }
  }

  #event(step: EventStep): string | typeof LOST | undefined {
    const ids = step.cursor.split(",");
    const before = this.#ids;
    this.#ids = ids;
    const moved = ids.flatMap((id, partition) => (id === before?.[partition] ? [] : [partition]));
    if (before !== undefined && moved.length !== 1) {
      return `${this.#name} was given a change, and its cursor moved in ${moved.length} partitions`;
    }
    // At the start the cursor does not tell in which partition it moved; the change itself does.
    const partition = moved.find((one) => this.#isThere(one, ids[one] ?? "", step)) ?? moved[0] ?? 0;
    const stream = this.#streams[partition] ?? [];
    const place = placeBehind(stream, ids[partition] ?? "");
    const due = this.#next[partition];
    this.#next[partition] = place;
    if (!this.#isThere(partition, ids[partition] ?? "", step)) return LOST;
    if (due === undefined || place === due + 1) return undefined;
    return place > due + 1
      ? `${this.#name} was never given ${placeWords(stream[due])}, only ${placeWords(stream[place - 1])} behind it`
      : `${this.#name} was given ${placeWords(stream[place - 1])} again, or out of its order`;
  }

  #isThere(partition: number, id: string, { content }: EventStep): boolean {
    const stream = this.#streams[partition] ?? [];
    const entry = stream[placeBehind(stream, id) - 1];
    return (
      entry !== undefined && `${entry.entryMs}-${entry.entrySequence}` === id && entry.content === content
    );
  }
}

function placeWords(entry: LogEntry | undefined): string {
  if (entry === undefined) return "an entry that is not there";
  const { entryMs, entrySequence, entity, version } = entry;
  return `${entryMs}-${entrySequence} (${entity.id} version ${version})`;
}

/** How many of a stream's entries do not come behind an id. */
function placeBehind(stream: readonly LogEntry[], id: string): number {
  const [ms = 0, sequence = 0] = id.split("-").map(Number);
  let low = 0;
  let high = stream.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = stream[middle];
    const isBehind =
      entry !== undefined && (entry.entryMs > ms || (entry.entryMs === ms && entry.entrySequence > sequence));
    if (isBehind) high = middle;
    else low = middle + 1;
  }
  return low;
}
