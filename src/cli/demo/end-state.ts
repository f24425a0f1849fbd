import type { TransitionOptions } from "../../changes/options.js";
import type { AgentState } from "../../machine/agent.js";
import type { Exit } from "./messages.js";

/** The change by which a replica records how a process ended. */
export interface End {
  readonly to: AgentState;
  readonly options: TransitionOptions<AgentState>;
}

/**
 * What to record for an exit: code 0 completes, any other code fails with it, a signal that the operator ordered kills
 * in the operator's name, and any other signal fails.
 *
 * @param killReason the operator's reason; undefined where nobody ordered a kill
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
