import type { Paint } from "./output/paint.js";

/** The process around a command: its environment, its terminal and its exit code. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** stdout is a terminal. */
  readonly isTerminal: boolean;
  /** Columns of the terminal; 80 without a terminal. */
  readonly columns: number;
  /** Colours for stdout; returns texts unchanged if colours are off. */
  readonly paint: Paint;
  /** Colours for stderr. */
  readonly paintNote: Paint;
  /** Writes data to stdout; resolves when there is room for more. Does nothing after the output pipe has closed. */
  write(text: string): Promise<void>;
  /** Writes a line for people to stderr. */
  note(line: string): void;
  /** Sets the exit code of the command. @default 0 */
  exitWith(code: number): void;
  /**
   * Returns a signal that is aborted by Ctrl-C, SIGTERM and SIGHUP, and when the output pipe closes. A command that
   * calls it must then end by itself; the exit code is already set. If no command calls it, a signal ends the process at
   * once, and a closed pipe does not end it.
   *
   * @param isVerdict the exit code is the result: a closed output pipe does not abort
   */
  interruption(isVerdict?: boolean): AbortSignal;
}
