import { safeMessage } from "./failure.js";
import { type Logger, silentLogger } from "./logger.js";
import { thrownStack } from "./thrown-text.js";

/** Reports the failure of a caller's function to the logger, or as a process warning if no logger is set. */
export function reportListener(logger: Logger, where: string, error: unknown): void {
  const text = safeMessage(error);
  if (logger === silentLogger) {
    const detail = thrownStack(error);
    process.emitWarning(`a listener ${where} failed: ${text}`, {
      code: "LATCHKEY_LISTENER",
      ...(detail !== undefined && { detail }),
    });
  } else logger.error({ where, error: text }, "a listener failed");
}

/** Calls a listener. Its failure is reported and has no other effect. */
export function tell<T>(
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
