import { checkTypes, refuse } from "../contract/arguments.js";
import { thrownText } from "./thrown-text.js";

/** The methods of a pino logger that latchkey uses. */
export interface Logger {
  /** Logs detail for developers. */
  debug(fields: object, message: string): void;
  /** Logs normal operation. */
  info(fields: object, message: string): void;
  /** Logs a problem that latchkey handles by itself. */
  warn(fields: object, message: string): void;
  /** Logs a problem that needs attention. */
  error(fields: object, message: string): void;
}

const nothing = (): void => {};

/** Logs nothing; the default. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

const LEVELS = ["debug", "info", "warn", "error"] as const;

/**
 * Checks a caller's logger, and makes one whose methods never throw: a line that cannot be written must not change the
 * result of a call that was applied. The first failure becomes a process warning, `LATCHKEY_LOGGER`.
 *
 * @throws ContractError if it is not a logger
 */
export function safeLogger(logger: Logger | undefined): Logger {
  if (logger === undefined) return silentLogger;
  checkTypes("object", { logger });
  const missing = LEVELS.find((level) => typeof logger[level] !== "function");
  if (missing !== undefined) refuse(`logger must have the methods of a pino logger; it lacks ${missing}`);
  let hasFailed = false;
  const write = (level: keyof Logger, fields: object, message: string): void => {
    try {
      logger[level](fields, message);
    } catch (error) {
      const warning = `the logger failed, and lines are missing: ${thrownText(error)}`;
      if (!hasFailed) process.emitWarning(warning, { code: "LATCHKEY_LOGGER" });
      hasFailed = true;
    }
  };
  return {
    debug: (fields, message) => write("debug", fields, message),
    info: (fields, message) => write("info", fields, message),
    warn: (fields, message) => write("warn", fields, message),
    error: (fields, message) => write("error", fields, message),
  };
}
