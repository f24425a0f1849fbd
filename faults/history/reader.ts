import { createReadStream } from "node:fs";
import { HistoryError, parseRecord } from "./parse.js";
import type { HistoryRecord } from "./records.js";

const NEWLINE = 10;
const CHUNK_BYTES = 1 << 20;

/**
 * Reads a history, record by record.
 *
 * @param truncated what to do with an incomplete last line, which a process leaves when it is killed
 * @throws HistoryError with the line number if a line is not a valid record
 */
export async function* readHistory(
  path: string,
  { truncated = "reject" }: { readonly truncated?: "reject" | "drop" } = {},
): AsyncGenerator<HistoryRecord, void> {
  let rest: Buffer = Buffer.alloc(0);
  let line = 0;
  const read = (text: string): HistoryRecord => {
    line += 1;
    try {
      return parseRecord(text);
    } catch (error) {
      if (!(error instanceof HistoryError)) throw error;
      throw new HistoryError(`line ${line} of ${path} ${error.message}`);
    }
  };
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    const bytes: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    for (let to = bytes.indexOf(NEWLINE); to >= 0; to = bytes.indexOf(NEWLINE, from)) {
      yield read(bytes.toString("utf8", from, to));
      from = to + 1;
    }
    rest = bytes.subarray(from);
  }
  if (rest.length > 0 && truncated === "reject") {
    throw new HistoryError(`line ${line + 1} of ${path} is truncated`);
  }
}
