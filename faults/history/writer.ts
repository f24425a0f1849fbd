import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import type { FieldMap, HistoryRecord, Observation } from "./records.js";

const NEWLINE = 10;
const BUFFERED_CHARACTERS = 1 << 16;
const CHUNK_BYTES = 1 << 20;

/** Reads CLOCK_MONOTONIC in ms. It is comparable between all processes of this machine and ignores clock changes. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** The reserved words of a document. All other fields are the caller's own. */
const DOCUMENT_WORDS: ReadonlySet<string> = new Set(
  "type machine id from state version timestamp since createdAt dueAt actor reason op opVersion forced".split(
    " ",
  ),
);

/** Returns what a return records of a document. */
export function observationOf(document: FieldMap): Observation {
  const { state, version, timestamp, since, createdAt, dueAt, opVersion } = document as FieldMap &
    Observation;
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
    ...(dueAt !== undefined && { dueAt }),
    ...(opVersion !== undefined && { opVersion }),
  };
}

/**
 * Writes a history. It buffers records; {@link flush} writes them to the file, where they survive the end of the process.
 * It appends to an existing file, after it has removed an incomplete last line.
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

  /** Appends all complete lines of another history, such as that of one process, without parsing them. */
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

/** Returns the position after the last newline. */
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
