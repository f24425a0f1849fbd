import { AgentLifecycle, type AgentLifecycleOptions, type Entities } from "../../src/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { agents } from "./client.js";

/** An AgentLifecycle in a namespace of its own, its entities, and the IDs of the agents that ended. */
export interface LifecycleUnderTest {
  readonly on: Entities<AgentState>;
  readonly life: AgentLifecycle;
  readonly ended: string[];
}

export async function lifecycle(options: AgentLifecycleOptions = {}): Promise<LifecycleUnderTest> {
  const on = await agents();
  const ended: string[] = [];
  const onEnd = ({ agentId }: { agentId: string }) => void ended.push(agentId);
  return { on, life: new AgentLifecycle(on, { onEnd, ...options }), ended };
}

/** Calls each transition by the name of its target. */
export const moves: Readonly<Record<string, (life: AgentLifecycle, id: string) => Promise<unknown>>> = {
  running: (life, id) => life.transitionToRunning(id),
  completed: (life, id) => life.transitionToCompleted(id),
  failed: (life, id) => life.transitionToFailed(id, "e"),
  killed: (life, id) => life.transitionToKilled(id),
};
