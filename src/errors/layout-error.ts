import { LatchkeyError } from "./latchkey-error.js";

/** Another version of latchkey wrote the namespace, in another layout. `code` is `"LAYOUT"`. */
export class LayoutError extends LatchkeyError {
  override readonly name = "LayoutError";

  constructor(message: string) {
    super("LAYOUT", message);
  }
}
