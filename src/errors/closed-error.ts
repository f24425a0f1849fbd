import { LatchkeyError } from "./latchkey-error.js";

/** `latchkey.close()` was called. Every call that needs the server is rejected with this error. `code` is `"CLOSED"`. */
export class ClosedError extends LatchkeyError {
  override readonly name = "ClosedError";

  constructor() {
    super("CLOSED", "latchkey was closed; call connect() again");
  }
}
