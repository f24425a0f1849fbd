import { tell } from "../valkey/failed-listener.js";
import type { Logger } from "../valkey/logger.js";
import type { MissedEvents } from "./group.js";

/** Tells of events that the log lost before a reaction had handled them. */
export function tellMissed(
  logger: Logger,
  reaction: string,
  onMissed: ((missed: MissedEvents) => void) | undefined,
  missed: MissedEvents,
): void {
  logger.error({ reaction, ...missed }, "the log was trimmed past events that were not handled");
  tell(logger, `for what reaction ${reaction} missed`, onMissed, missed);
}
