import type { ErrorCode } from "../errors/codes.js";
import { LatchkeyError } from "../errors/latchkey-error.js";

/** What an error of the command line may say besides its message. */
export interface CliErrorDetails {
  /** Further lines, for people. */
  readonly lines?: readonly string[];
  /** Facts for programs: name to JSON text. */
  readonly facts?: Readonly<Record<string, string>>;
  /** What to type. */
  readonly hint?: string;
}

/** An error with what people and programs need to go on. `code` decides the exit code. */
export class CliError extends LatchkeyError {
  override readonly name = "CliError";
  readonly details: CliErrorDetails;

  constructor(code: string, message: string, details: CliErrorDetails = {}, cause?: unknown) {
    super(code as ErrorCode, message, { cause });
    this.details = details;
  }
}

/** The command was typed wrong. */
export function usageError(message: string, hint?: string): CliError {
  return new CliError("USAGE", message, hint === undefined ? {} : { hint });
}
