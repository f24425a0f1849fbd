import type { AgentState } from "../machine/agent.js";
import { RejectedError } from "./rejected-errors.js";

/**
 * A change of an agent was rejected; nothing was written. `code` is `"NOTFOUND"`, `"ILLEGAL"` or `"EXISTS"`, or another code
 * of a rejection if the call had `op` or `ifVersion`. `cause` is the error of the rejected call.
 */
export class AgentLifecycleError extends RejectedError {
  override readonly name = "AgentLifecycleError";
  /** The state that the agent is in; null if it does not exist. */
  readonly from: AgentState | null;
  /** The state that the call would have entered. */
  readonly to: AgentState;

  constructor(
    message: string,
    { code, machine, id, current }: Pick<RejectedError, "code" | "machine" | "id" | "current">,
    to: AgentState,
    cause: unknown,
  ) {
    super(code, message, machine, id, current, { cause });
    this.from = (current?.state ?? null) as AgentState | null;
    this.to = to;
  }
}
