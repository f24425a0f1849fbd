import { setTimeout as pause } from "node:timers/promises";
import { ConnectError, GapError } from "latchkey";
import { readHistory } from "../history/reader.js";
import { type HistoryWriter, monotonicMs } from "../history/writer.js";
import { job } from "../machines/job.js";
import type { Library } from "./library.js";
import type { ClientSettings } from "./messages.js";
import type { Reports } from "./reports.js";

const FLUSH_EVERY_MS = 20;
const AGAIN_MS = 20;

/** Follows the event log. After a kill or a gap it continues from its cursor. */
export class Follower {
  readonly #settings: ClientSettings;
  readonly #library: Library;
  readonly #history: HistoryWriter;
  readonly #reports: Reports;
  #upTo: string | undefined;
  #cursor = "start";
  #stop = new AbortController();

  constructor(settings: ClientSettings, library: Library, history: HistoryWriter, reports: Reports) {
    this.#settings = settings;
    this.#library = library;
    this.#history = history;
    this.#reports = reports;
  }

  /** Ends when the changes at these entries have been read: one of each partition, separated by commas. */
  finish(upTo: string): void {
    this.#upTo = upTo;
    if (this.#isBehind(upTo)) this.#stop.abort();
  }

  async run(): Promise<void> {
    const { before, name } = this.#settings;
    if (before !== undefined) this.#cursor = await lastCursor(before);
    const flush = setInterval(() => this.#history.flush(), FLUSH_EVERY_MS);
    while (!this.#stop.signal.aborted) {
      try {
        await this.#iterate();
      } catch (error) {
        if (!(error instanceof GapError)) {
          await this.#waitForLog(error);
          continue;
        }
        this.#reports.counts.gaps += 1;
        this.#history.append({ kind: "gap", follower: name, at: monotonicMs(), cursor: error.cursor });
        this.#cursor = error.cursor;
      }
    }
    clearInterval(flush);
    this.#history.append({ kind: "followed", follower: name, at: monotonicMs() });
  }

  /** Waits after a temporary error that ends an iteration: no connection at its beginning, or another key type. */
  async #waitForLog(error: unknown): Promise<void> {
    const isWrongType = error instanceof Error && error.message.includes("WRONGTYPE");
    if (!isWrongType && !(error instanceof ConnectError)) throw error;
    await pause(AGAIN_MS);
  }

  async #iterate(): Promise<void> {
    const follower = this.#settings.name;
    const { counts } = this.#reports;
    const machine = job.name;
    this.#history.append({ kind: "follow", follower, at: monotonicMs(), machine, after: this.#cursor });
    const log = this.#library.entities.events({ after: this.#cursor, signal: this.#stop.signal });
    for await (const document of log) {
      this.#cursor = log.cursor ?? this.#cursor;
      this.#history.append({ kind: "event", follower, at: monotonicMs(), cursor: this.#cursor, document });
      counts.begun += 1;
      counts.ended += 1;
      counts.answered += 1;
      if (this.#upTo !== undefined && this.#isBehind(this.#upTo)) this.#stop.abort();
    }
  }

  #isBehind(entries: string): boolean {
    if (this.#cursor === "start") return false;
    const positions = this.#cursor.split(",");
    return entries.split(",").every((entry, partition) => isAt(positions[partition] ?? "", entry));
  }
}

/** Returns true if the position of a cursor is at or after an entry. */
function isAt(position: string, entry: string): boolean {
  const [id = ""] = position.split("@");
  const [ms = 0, sequence = 0] = id.split("-").map(Number);
  const [ofMs = 0, ofSequence = 0] = entry.split("-").map(Number);
  return ms > ofMs || (ms === ofMs && sequence >= ofSequence);
}

/** Returns the last recorded cursor of a follower that was killed. Later changes are read again. */
async function lastCursor(file: string): Promise<string> {
  let cursor = "start";
  for await (const record of readHistory(file, { truncated: "drop" })) {
    if (record.kind === "event" || record.kind === "gap") cursor = record.cursor;
    if (record.kind === "follow") cursor = record.after;
  }
  return cursor;
}
