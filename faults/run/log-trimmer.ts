import type { Valkey } from "iovalkey";
import type { FinalEventRecord } from "../history/records.js";
import type { HistoryWriter } from "../history/writer.js";
import type { MachineKeys } from "../machines/keys.js";
import type { Servers } from "../servers/servers.js";

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

/** Trims the event logs of a machine, and keeps the removed entries for the history. */
export class LogTrimmer {
  readonly #keys: MachineKeys;
  /** Removed entries by partition. */
  readonly #records: readonly FinalEventRecord[][];

  constructor(keys: MachineKeys) {
    this.#keys = keys;
    this.#records = keys.prefixes.map(() => []);
  }

  /** Trims all entries of a partition before one. Returns their number. */
  async trim(client: Valkey, partition: number, before: string): Promise<number> {
    const [key, records] = [this.#key(partition), this.#records[partition] ?? []];
    let count = 0;
    const last = records.at(-1)?.entry ?? "0-0";
    for await (const [entry, [, document = ""]] of entriesOf(client, key, `(${before}`)) {
      count += 1;
      // A server that lost a trim returns entries that are already recorded.
      if (isBefore(last, entry)) records.push(this.#record(partition, entry, document));
    }
    await client.xtrim(key, "MINID", before);
    return count;
  }

  /** Writes the whole log of each partition: trimmed entries, then those of the stream. */
  async write(servers: Servers, history: HistoryWriter): Promise<void> {
    for (const [partition, records] of this.#records.entries()) {
      const key = this.#key(partition);
      const { admin } = await servers.primary(key);
      let first: string | undefined;
      for await (const [entry, [, document = ""]] of entriesOf(admin, key)) {
        if (first === undefined) {
          first = entry;
          for (const record of records) if (isBefore(record.entry, entry)) history.append(record);
        }
        history.append(this.#record(partition, entry, document));
      }
      if (first === undefined) for (const record of records) history.append(record);
    }
  }

  #key(partition: number): string {
    return `${this.#keys.prefix(partition)}events`;
  }

  #record(partition: number, entry: string, document: string): FinalEventRecord {
    return { kind: "final-event", machine: this.#keys.machine, partition, entry, document };
  }
}
