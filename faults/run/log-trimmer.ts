import type { Valkey } from "iovalkey";
import type { FinalEventRecord } from "../history/records.js";
import type { HistoryWriter } from "../history/writer.js";

const PAGE = 1_000;

type RawEntry = [id: string, fields: string[]];

/** Reads a stream from its beginning to an entry, or to its end. */
export async function* entriesOf(client: Valkey, key: string, upTo = "+"): AsyncGenerator<RawEntry, void> {
  let from = "-";
  for (;;) {
    const page = (await client.xrange(key, from, upTo, "COUNT", PAGE)) as RawEntry[];
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    from = `(${last[0]}`;
  }
}

/** True if one entry ID is before another. */
export function isBefore(a: string, b: string): boolean {
  const [aMs = "0", aSequence = "0"] = a.split("-");
  const [bMs = "0", bSequence = "0"] = b.split("-");
  return aMs === bMs ? BigInt(aSequence) < BigInt(bSequence) : BigInt(aMs) < BigInt(bMs);
}

/** Trims the event log, and keeps the removed entries for the history. */
export class LogTrimmer {
  readonly #key: string;
  readonly #machine: string;
  readonly #records: FinalEventRecord[] = [];

  constructor(key: string, machine: string) {
    this.#key = key;
    this.#machine = machine;
  }

  /** Trims all entries before one. Returns their number. */
  async trim(client: Valkey, before: string): Promise<number> {
    let count = 0;
    const last = this.#records.at(-1)?.entry ?? "0-0";
    for await (const [entry, [, document = ""]] of entriesOf(client, this.#key, `(${before}`)) {
      count += 1;
      // A server that lost a trim returns entries that are already recorded.
      if (isBefore(last, entry)) this.#records.push(this.#record(entry, document));
    }
    await client.xtrim(this.#key, "MINID", before);
    return count;
  }

  /** Writes the whole log: trimmed entries, then those of the stream. Returns their number. */
  async write(client: Valkey, history: HistoryWriter): Promise<number> {
    let count = 0;
    let first: string | undefined;
    const write = (record: FinalEventRecord): void => {
      history.append(record);
      count += 1;
    };
    for await (const [entry, [, document = ""]] of entriesOf(client, this.#key)) {
      if (first === undefined) {
        first = entry;
        for (const record of this.#records) if (isBefore(record.entry, entry)) write(record);
      }
      write(this.#record(entry, document));
    }
    if (first === undefined) for (const record of this.#records) write(record);
    return count;
  }

  #record(entry: string, document: string): FinalEventRecord {
    return { kind: "final-event", machine: this.#machine, partition: 0, entry, document };
  }
}
