import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import type { FieldMap, HistoryRecord, Observation } from "./records.js";

const NEWLINE = 10;
const BUFFERED_CHARACTERS = 1 << 16;
const CHUNK_BYTES = 1 << 20;

/** CLOCK_MONOTONIC in ms: comparable between all processes of this machine, and untouched by changes of its clock. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** The words that a document uses itself; all others are the caller's own fields. */
const DOCUMENT_WORDS: ReadonlySet<string> = new Set(
  "type machine id from state version timestamp since createdAt actor reason op opVersion forced".split(" "),
);

/** The facts of a document, as a return records them. */
export function observationOf(document: FieldMap): Observation {
  const { state, version, timestamp, since, createdAt, opVersion } = document as FieldMap & Observation;
  const fields: Record<string, unknown> = {};
  for (const field in document) {
    if (!DOCUMENT_WORDS.has(field) && document[field] !== undefined) fields[field] = document[field];
  }
  return {
    state,
    version,
    timestamp,
    since,
    createdAt,
    fields,
    ...(opVersion !== undefined && { opVersion }),
  };
}

/**
 * Writes a history. Records are gathered and written together; {@link flush} brings them to the file at once, where they
 * survive the end of the process (not that of the machine). Goes on at the end of a file that is there, without a last
 * line that does not end.
 *
 * @example
 * const history = new HistoryWriter("worker-1.jsonl");
 * history.append(call);
 * history.flush(); // before the call is sent: if this process is killed now, its intent is known
 */
export class HistoryWriter {
  readonly #file: number;
  #text = "";

  constructor(path: string) {
    this.#file = openSync(path, "a+");
    const size = fstatSync(this.#file).size;
    const whole = endOfLastLine(this.#file, size);
    if (whole < size) ftruncateSync(this.#file, whole);
  }

  append(record: HistoryRecord): void {
    this.#text += `${JSON.stringify(record)}\n`;
    if (this.#text.length > BUFFERED_CHARACTERS) this.flush();
  }

  /** Takes over all whole lines of another history, such as that of one process, unread. */
  appendFile(path: string): void {
    this.flush();
    const file = openSync(path, "r");
    try {
      const end = endOfLastLine(file, fstatSync(file).size);
      const bytes = Buffer.allocUnsafe(CHUNK_BYTES);
      for (let at = 0; at < end; ) {
        const count = readSync(file, bytes, 0, Math.min(CHUNK_BYTES, end - at), at);
        if (count === 0) throw new Error(`${path} became shorter while it was read`);
        writeAll(this.#file, bytes.subarray(0, count));
        at += count;
      }
    } finally {
      closeSync(file);
    }
  }

  flush(): void {
    if (this.#text === "") return;
    const bytes = Buffer.from(this.#text);
    this.#text = "";
    writeAll(this.#file, bytes);
  }

  close(): void {
    this.flush();
    closeSync(this.#file);
  }
}

function writeAll(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

/** Behind the last newline. */
function endOfLastLine(file: number, size: number): number {
  const bytes = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size));
  for (let end = size; end > 0; ) {
    const begin = Math.max(0, end - bytes.length);
    const count = readSync(file, bytes, 0, end - begin, begin);
    const at = bytes.subarray(0, count).lastIndexOf(NEWLINE);
    if (at >= 0) return begin + at + 1;
    end = begin;
  }
  return 0;
}
