import { LatchkeyError } from "./latchkey-error.js";

/** A server could not be started. The message ends with the server's last lines. `code` is `"SERVER_START"`. */
export class ServerStartError extends LatchkeyError {
  override readonly name = "ServerStartError";
  /** True if another program listens on the port. */
  readonly portInUse: boolean;

  constructor(message: string, options: ErrorOptions & { readonly portInUse?: boolean } = {}) {
    super("SERVER_START", message, options);
    this.portInUse = options.portInUse ?? false;
  }
}
