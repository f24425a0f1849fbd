import { Logger as NestLogger } from "@nestjs/common";
import type { Logger } from "../valkey/logger.js";

/**
 * Writes latchkey's log lines with Nest's Logger. Lines of normal operation, one per change, have Nest's level `debug`.
 *
 * @param context the context of the lines
 */
export function nestLogger(context: string): Logger {
  const logger = new NestLogger(context);
  return {
    debug: (fields, message) => write(logger, "verbose", fields, message),
    info: (fields, message) => write(logger, "debug", fields, message),
    warn: (fields, message) => write(logger, "warn", fields, message),
    error: (fields, message) => write(logger, "error", fields, message),
  };
}

function write(
  logger: NestLogger,
  level: "verbose" | "debug" | "warn" | "error",
  fields: object,
  message: string,
): void {
  if (!NestLogger.isLevelEnabled(level)) return;
  logger[level](Object.keys(fields).length === 0 ? message : `${message} ${JSON.stringify(fields)}`);
}
