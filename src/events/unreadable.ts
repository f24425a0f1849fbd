import { callListener } from "../valkey/failed-listener.js";
import { type Logger, silentLogger } from "../valkey/logger.js";

/** An entry of the event log that is not a change. Another program wrote it, or the server's data is damaged. */
export interface UnreadableEntry {
  readonly partition: number;
  /** The entry's ID in the stream of its partition. */
  readonly entry: string;
  /** The entry's document; empty if it has none. */
  readonly text: string;
  /** The reason why it is not a change, such as `not JSON`. */
  readonly problem: string;
}

/** Reports an entry that a reader skips: to the listener, else to the logger, else as a process warning. */
export function reportUnreadable(
  logger: Logger,
  machine: string,
  unreadable: UnreadableEntry,
  listener: ((unreadable: UnreadableEntry) => void) | undefined,
): void {
  const { partition, entry, problem } = unreadable;
  if (listener !== undefined) callListener(logger, "for an unreadable entry", listener, unreadable);
  else if (logger !== silentLogger)
    logger.warn({ machine, partition, entry, problem }, "skipped an unreadable entry of the event log");
  else {
    const message = `skipped entry ${entry} (partition ${partition}) of the event log of ${machine}: ${problem}`;
    process.emitWarning(message, { code: "LATCHKEY_UNREADABLE" });
  }
}
