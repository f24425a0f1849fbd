import type { ErrorCode } from "../errors/codes.js";
import { LatchkeyError } from "../errors/latchkey-error.js";

/** Details of an error of the command line, besides its message. */
export interface CliErrorDetails {
  /** Further lines for people. */
  readonly lines?: readonly string[];
  /** Facts for programs. A document is written as it is stored. */
  readonly facts?: Readonly<Record<string, unknown>>;
  /** A command to try next. */
  readonly hint?: string | undefined;
}

/** An error with details for people and for programs. `code` decides the exit code. */
export class CliError extends LatchkeyError {
  override readonly name = "CliError";
  readonly details: CliErrorDetails;

  constructor(code: string, message: string, details: CliErrorDetails = {}, cause?: unknown) {
    super(code as ErrorCode, message, { cause });
    this.details = details;
  }
}

/** Makes the error of an invalid command line. */
export function usageError(message: string, hint?: string): CliError {
  return new CliError("USAGE", message, { hint });
}
