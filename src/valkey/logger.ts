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
