import type { AgentState } from "../machine/agent.js";
import type { JsonValue } from "../machine/json-value.js";
import type { Change, Snapshot } from "./document.js";

/** State of an agent, in the form of the in-process service. The object belongs to the caller. */
export interface AgentLifecycleState {
  agentId: string;
  taskId: string;
  status: AgentState;
  startedAt?: string;
  completedAt?: string;
  error?: string;
  metadata?: Record<string, unknown>;
}

/** Converts an agent into the form of the in-process service. */
export function lifecycleState(agent: Snapshot<AgentState>): AgentLifecycleState {
  const { id, state, taskId, startedAt, completedAt, error, metadata } = agent;
  return {
    agentId: id,
    taskId: asText(taskId) ?? "",
    status: state,
    ...(typeof startedAt === "string" && { startedAt }),
    ...(typeof completedAt === "string" && { completedAt }),
    ...(error !== undefined && { error: asText(error) ?? JSON.stringify(error) }),
    // Another program may have stored another value, which is returned as it is.
    ...(metadata !== undefined && { metadata: metadata as Record<string, unknown> }),
  };
}

/** Formats a change as a message of the in-process service, with exactly its members. */
export function lifecycleMessage(change: Change<AgentState>): string {
  const { agentId, taskId, status, error } = lifecycleState(change);
  const { type, timestamp } = change;
  return JSON.stringify({ type, agentId, taskId, timestamp, ...(status === "failed" && { error }) });
}

function asText(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
