import type { Paint } from "./output/paint.js";

/** The outside world, as a command sees it. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** stdout is a terminal. */
  readonly isTerminal: boolean;
  /** Columns of that terminal; 80 where there is none. */
  readonly columns: number;
  /** Colours for stdout; leaves texts as they are where none are wanted. */
  readonly paint: Paint;
  /** The same for stderr. */
  readonly paintNote: Paint;
  /** Writes data to stdout, as it is; resolves when there is room for more. Does nothing once the reader is gone. */
  write(text: string): Promise<void>;
  /** Writes a line for people to stderr. */
  note(line: string): void;
  /** The code to exit with when the command is done. @default 0 */
  exitWith(code: number): void;
  /**
   * Aborted by Ctrl-C, SIGTERM and SIGHUP, and when the reader of stdout is gone. A command that asks for it must wind
   * up by itself when that happens; its exit code is then set already. Without it the process ends at once where it is
   * told to, and goes on to its end where it has no reader.
   *
   * @param isVerdict the exit code is what counts: goes on without a reader too
   */
  interruption(isVerdict?: boolean): AbortSignal;
}
