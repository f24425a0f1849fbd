import type { Snapshot } from "../contract/document.js";

/** Names of all error classes of this package. Each class sets its name as text, so bundlers do not shorten it. */
export const ERROR_NAMES: ReadonlySet<unknown> = new Set([
  "AgentLifecycleError",
  "AlreadyExistsError",
  "ApplyInterruptedError",
  "CliError",
  "ClosedError",
  "ConflictError",
  "ConnectError",
  "ContractError",
  "DeadlineExceededError",
  "GapError",
  "IllegalTransitionError",
  "LatchkeyError",
  "LayoutError",
  "LeaseLostError",
  "MachineDefinitionError",
  "MachineFileError",
  "MachineInUseError",
  "MissingFieldError",
  "NoLeaseError",
  "NotDurableError",
  "NotExecutedError",
  "NotFoundError",
  "NoValkeyError",
  "OutcomeForgottenError",
  "OutcomeUnknownError",
  "ReactionInUseError",
  "RejectedError",
  "ServerStartError",
  "WaitError",
]);

/**
 * An error of this package. `instanceof KnownError` compares `name` and `code`, because a program can load two copies of
 * the package, whose classes differ. Pass it to Nest's `@Catch` to catch all errors of latchkey, and no others.
 */
export abstract class KnownError {
  declare readonly name: string;
  declare readonly message: string;
  declare readonly stack?: string;
  /** Text instead of an `ErrorCode`: a newer copy can have further codes. */
  declare readonly code: string;
  declare readonly current?: Snapshot | null;
  declare readonly document?: Snapshot;
  declare readonly op?: string;
  declare readonly reason?: string;
  declare readonly reply?: string;

  /** Recognizes an error of any copy of the package by its name and code. */
  static [Symbol.hasInstance](thrown: unknown): boolean {
    if (typeof thrown !== "object" || thrown === null || !("name" in thrown && "code" in thrown))
      return false;
    return ERROR_NAMES.has(thrown.name) && typeof thrown.code === "string";
  }
}
