import { LatchkeyError } from "./latchkey-error.js";

/**
 * Another version of latchkey wrote the namespace, in another layout, or the namespace was created anew with another number
 * of partitions. Every further call of the same connection is rejected with it. `code` is `"LAYOUT"`.
 */
export class LayoutError extends LatchkeyError {
  override readonly name = "LayoutError";

  constructor(message: string) {
    super("LAYOUT", message);
  }
}
