import { safeMessage } from "./failure.js";
import { type Logger, silentLogger } from "./logger.js";
import { thrownStack } from "./thrown-text.js";

/** A failure that no caller receives. */
interface Report {
  /** Code of the process warning if no logger is set. */
  readonly code: string;
  /** Message of the log, and the fields that identify what failed. */
  readonly message: string;
  readonly fields: object;
  /** Text of the warning, before the error. */
  readonly warning: string;
}

/** Reports a failure to the logger, or as a process warning if no logger is set. */
function report(logger: Logger, { code, message, fields, warning }: Report, error: unknown): void {
  const text = safeMessage(error);
  if (logger === silentLogger) {
    const detail = thrownStack(error);
    process.emitWarning(`${warning}: ${text}`, { code, ...(detail !== undefined && { detail }) });
  } else logger.error({ ...fields, error: text }, message);
}

/** Reports the failure of a caller's function. */
export function reportListener(logger: Logger, where: string, error: unknown): void {
  const message = "a listener failed";
  const warning = `a listener ${where} failed`;
  report(logger, { code: "LATCHKEY_LISTENER", message, fields: { where }, warning }, error);
}

/**
 * Reports that a reaction or a follower ended, although nobody stopped it.
 *
 * @param reaction its name; undefined for a follower
 */
export function reportEnd(
  logger: Logger,
  machine: string,
  reaction: string | undefined,
  error: unknown,
): void {
  const [kind, name, fields] =
    reaction === undefined
      ? ["follower", "a follower", { machine }]
      : ["reaction", `reaction ${reaction}`, { machine, reaction }];
  const what = "ended: it cannot continue in this replica";
  const [message, warning] = [`a ${kind} ${what}`, `${name} of ${machine} ${what}`];
  report(logger, { code: "LATCHKEY_ENDED", message, fields, warning }, error);
}

/** Calls a listener. Its failure is reported and has no other effect. */
export function callListener<T>(
  logger: Logger,
  where: string,
  listener: ((news: T) => void) | undefined,
  news: T,
): void {
  try {
    listener?.(news);
  } catch (error) {
    reportListener(logger, where, error);
  }
}
