import { LatchkeyError } from "./latchkey-error.js";

/** A machine file cannot be read. `cause` is the system's error, if there is one. `code` is `"MACHINE_FILE"`. */
export class MachineFileError extends LatchkeyError {
  override readonly name = "MachineFileError";

  constructor(message: string, options?: ErrorOptions) {
    super("MACHINE_FILE", message, options);
  }
}
