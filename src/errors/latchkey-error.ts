/** What all errors of changes have in common: a stable `code`, for callers that can't use `instanceof`. */
export class LatchkeyError extends Error {
  override readonly name: string = "LatchkeyError";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * The call itself is wrong, whoever sends it: a bad argument (`code` `"BADARG"`), a machine that nobody has applied
 * (`"NOMACHINE"`), or a reaction that was forgotten while a replica of it was away (`"NOREACTION"`). Repeating it is no use.
 */
export class ContractError extends LatchkeyError {
  override readonly name = "ContractError";
}
