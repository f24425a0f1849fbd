import type { ErrorCode } from "./codes.js";

/** Base class of every error that the package throws. Compare `code` if `instanceof` is not possible. */
export class LatchkeyError extends Error {
  override readonly name: string = "LatchkeyError";
  /** Stable code of the failure; the reference lists all of them. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The call itself is invalid, and repeating it does not help. `code` is `"BADARG"` for an invalid argument, `"NOMACHINE"` if the
 * machine is not installed, `"NOREACTION"` if the reaction was removed while this replica was away, `"PARTITIONS"` if
 * the namespace has another number of partitions, `"CLOSED"` or `"NESTED"` for a call that a hold cannot take now.
 */
export class ContractError extends LatchkeyError {
  override readonly name = "ContractError";
}
