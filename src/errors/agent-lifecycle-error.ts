import { LatchkeyError } from "./latchkey-error.js";

/** The agent's lifecycle does not allow the change. `code` is `"NOTFOUND"`, `"ILLEGAL"` or `"EXISTS"`. */
export class AgentLifecycleError extends LatchkeyError {
  override readonly name = "AgentLifecycleError";
}
