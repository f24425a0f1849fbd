import { LatchkeyError } from "./latchkey-error.js";

/**
 * A new version of a machine is installed in some partitions, and perhaps not in others. Apply it again: an installed
 * version stays as it is. `code` is `"UNKNOWN"`.
 */
export class ApplyInterruptedError extends LatchkeyError {
  override readonly name = "ApplyInterruptedError";
  readonly machine: string;
  /** Installed version by partition; null if the machine is not installed there. Partitions that could not be read are absent. */
  readonly versions: Readonly<Record<number, number | null>>;

  constructor(
    message: string,
    machine: string,
    versions: Readonly<Record<number, number | null>>,
    cause: unknown,
  ) {
    super("UNKNOWN", message, { cause });
    this.machine = machine;
    this.versions = versions;
  }
}
