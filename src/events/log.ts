import { checkFlag, checkFunctions, checkOptions, checkSignal } from "../contract/arguments.js";
import { type Change, parseChange } from "../contract/document.js";
import { ClosedError } from "../errors/closed-error.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { onAbort } from "../valkey/on-abort.js";
import { positionAfter } from "../valkey/stream.js";
import { type LogStart, logCursor, parseLogCursor, timeOf } from "./cursor.js";
import { type LogEntry, LogReader } from "./log-reader.js";
import type { OutageListeners } from "./outage.js";
import { reportUnreadable, type UnreadableEntry } from "./unreadable.js";

/** Options of `events`: the position to start from, and whether to wait for more. */
export interface EventsOptions extends OutageListeners {
  /**
   * `"start"`: the oldest change in the log. `"end"`: only changes from now on. A Date, or ISO 8601 text with a time zone:
   * changes from this time on. Otherwise a cursor. @default "end"
   */
  readonly after?: "start" | "end" | Date | (string & {});
  /** Waits for further changes; if false, the iteration stops at the current end of the log. @default true */
  readonly follow?: boolean;
  /** Stops the iteration when aborted. */
  readonly signal?: AbortSignal;
  /**
   * Called once for each entry that is not a change; the iteration skips it. @default logs a warning; without a logger, a
   * process warning with code `LATCHKEY_UNREADABLE`
   */
  readonly onUnreadable?: (unreadable: UnreadableEntry) => void;
}

const OPTIONS: readonly (keyof EventsOptions)[] = [
  "after",
  "follow",
  "signal",
  "onUnreadable",
  "onAway",
  "onBack",
];

/**
 * Iterates over the durable log of a machine's changes from a cursor on: each change once, in order per entity.
 * `cursor` is the position after the change returned last; store it to continue from there later. It identifies that
 * change, so that a log that lost it is noticed.
 *
 * Reconnects after a lost connection, without loss or repetition. While a server of a cluster is unreachable, the changes of
 * the others are returned. Closing latchkey stops the iteration, as the signal
 * does.
 *
 * @throws GapError while iterating, if changes after the cursor were trimmed from the log, or the log lost the change
 * before the cursor.
 * @throws ConnectError if the first connection cannot be made within the time limit of a call, in a cluster to any server, or
 * with `follow: false` to one of them; ClosedError if latchkey
 * was closed before.
 */
export class EventLog<C extends Change<string, object> = Change> implements AsyncIterable<C> {
  readonly #store: Omit<MachineStore, "definition">;
  readonly #options: EventsOptions;
  readonly #start: LogStart;
  #positions: string[] | undefined;

  /** @throws ContractError if an option is invalid. */
  constructor(store: Omit<MachineStore, "definition">, options: EventsOptions) {
    checkOptions(options, OPTIONS);
    checkFlag("follow", options.follow);
    checkSignal(options.signal);
    const { onUnreadable, onAway, onBack } = options;
    checkFunctions({ onUnreadable, onAway, onBack });
    this.#store = store;
    this.#options = options;
    const { after = "end" } = options;
    const start = (["start", "end"] as const).find((edge) => edge === after) ?? timeOf(after);
    if (start === undefined) this.#positions = parseLogCursor(after, store.location.partitions);
    this.#start = start ?? "end";
  }

  /** The position after the change returned last; undefined before the first one, unless reading began after a cursor. */
  get cursor(): string | undefined {
    return this.#positions && logCursor(this.#positions);
  }

  /** Yields the changes in order, from the start that `events` was given. */
  async *[Symbol.asyncIterator](): AsyncGenerator<C, void> {
    const { follow = true, signal } = this.#options;
    const { machine } = this.#store.location;
    if (this.#store.connection.isClosed) throw new ClosedError();
    if (this.#isStopped()) return;
    const reader = new LogReader(this.#store, () => this.#isStopped(), this.#options);
    if (!(await this.#open(reader, follow))) return;
    const leave = onAbort(signal, () => reader.stop());
    try {
      this.#positions ??= await reader.first(this.#start);
      while (this.#positions !== undefined) {
        const entries = await reader.next(this.#positions, follow);
        if (entries === undefined) return;
        for (const entry of entries) {
          if (this.#isStopped()) return;
          this.#positions = this.#positions.with(entry.partition, positionAfter(entry));
          const change = parseChange<C>(machine, entry.text);
          if (typeof change === "string") this.#skip(entry, change);
          else yield change;
        }
      }
    } finally {
      leave();
      reader.close();
    }
  }

  #skip({ partition, id: entry, text }: LogEntry, problem: string): void {
    const { connection, location } = this.#store;
    const unreadable = { partition, entry, text, problem };
    reportUnreadable(connection.logger, location.machine, unreadable, this.#options.onUnreadable);
  }

  /** Connects. @returns false if stopped in the meantime */
  async #open(reader: LogReader, follow: boolean): Promise<boolean> {
    try {
      await reader.open(follow);
      return true;
    } catch (error) {
      reader.close();
      if (this.#isStopped()) return false;
      throw error;
    }
  }

  #isStopped(): boolean {
    return this.#options.signal?.aborted === true || this.#store.connection.isClosed;
  }
}
