/** The part of a pino logger that latchkey uses; a `pino.Logger` fits as it is. */
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

/** The default: says nothing. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
