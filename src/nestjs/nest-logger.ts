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
    debug: (fields, message) => logger.verbose(line(fields, message)),
    info: (fields, message) => logger.debug(line(fields, message)),
    warn: (fields, message) => logger.warn(line(fields, message)),
    error: (fields, message) => logger.error(line(fields, message)),
  };
}

function line(fields: object, message: string): string {
  return Object.keys(fields).length === 0 ? message : `${message} ${JSON.stringify(fields)}`;
}
