import type { Connection } from "../valkey/connection.js";
import { tell } from "../valkey/failed-listener.js";

/** Events of a reaction that were trimmed from the log before they were handled. */
export interface MissedEvents {
  readonly partition: number;
  /** The missed events have IDs after this one in the partition's stream, up to `to`. */
  readonly from: string;
  readonly to: string;
  /** Number of missed events; undefined if the server cannot determine it. */
  readonly count: number | undefined;
}

interface Reporter {
  readonly name: string;
  readonly onMissed: ((missed: MissedEvents) => void) | undefined;
}

/** Logs missed events and calls `onMissed`. */
export function reportMissed(
  { logger }: Connection,
  { name, onMissed }: Reporter,
  missed: MissedEvents,
): void {
  logger.error({ reaction: name, ...missed }, "events were trimmed from the log before they were handled");
  tell(logger, `for a gap in reaction ${name}`, onMissed, missed);
}
