import type { AgentState } from "../machine/agent.js";
import { isError } from "./is-error.js";
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

/**
 * Throws the rejection of a call in the words of the in-process service, and any other error as it is. The error may come
 * from another copy of the package.
 */
export function throwRejection(error: unknown, to: AgentState): never {
  if (!(isError(error) && "code" in error && "current" in error)) throw error;
  const rejection = error as RejectedError;
  const { code, id, current, message } = rejection;
  const words: Partial<Record<typeof code, string>> = {
    NOTFOUND: `Agent ${id} not found`,
    EXISTS: `Agent ${id} already exists`,
    ILLEGAL: `Invalid state transition from ${current?.state ?? "unknown"} to ${to}`,
  };
  throw new AgentLifecycleError(words[code] ?? message, rejection, to, error);
}
