import { safeMessage } from "./failure.js";
import { type Logger, silentLogger } from "./logger.js";
import { thrownStack } from "./thrown-text.js";

/** Nobody reads the silent logger, and an error of the caller's code must not vanish. */
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

/** Calls a listener, whose failure is reported and stops nothing. */
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
