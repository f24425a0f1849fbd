import type { AgentState, TransitionOptions } from "latchkey";
import type { Exit } from "./messages.js";

/** Own fields that the end of a process writes. */
export interface EndFields {
  error?: string;
  result?: string;
}

/** Change that records how a process ended. */
export interface End {
  readonly to: AgentState;
  readonly options: TransitionOptions<AgentState, EndFields>;
}

/**
 * Chooses the change for an exit. Code 0 completes the agent, any other code fails it. A signal that the operator ordered
 * kills it in the operator's name; any other signal fails it.
 *
 * @param killReason the operator's reason; undefined if nobody ordered a kill
 */
export function endOf(exit: Exit, killReason: string | undefined): End {
  if (exit.kind === "not-started") return failed(`not started: ${exit.error}`);
  if (exit.kind === "signal") {
    if (killReason === undefined) return failed(exit.signal);
    return { to: "killed", options: { actor: "operator", reason: `${exit.signal}: ${killReason}` } };
  }
  if (exit.code !== 0) return failed(`exit ${exit.code}: ${exit.output}`);
  return { to: "completed", options: { set: { result: exit.output } } };
}

function failed(error: string): End {
  return { to: "failed", options: { set: { error } } };
}
