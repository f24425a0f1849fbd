import type { InjectionToken } from "@nestjs/common";
import {
  checkDuration,
  checkFunctions,
  checkOptions,
  checkTypes,
  checkWord,
  refuse,
} from "../contract/arguments.js";
import type { AgentEvent, AgentState } from "../machine/agent.js";
import type { Machine } from "../machine/definition.js";
import type { Duration } from "../machine/duration.js";

/** A provider that cleans up the sessions of agents. */
export interface SessionSpawner {
  /** Cleans up the session of an agent that has ended, or schedules that. */
  scheduleSessionCleanup(agentId: string): unknown;
}

/** The cleanup after an agent has ended. Give exactly one of `spawner` and `handler`. */
export interface AgentCleanupOptions {
  /** Token of the provider whose `scheduleSessionCleanup(agentId)` is called. */
  readonly spawner?: InjectionToken<SessionSpawner>;
  /** Called instead of a provider. */
  readonly handler?: (agentId: string) => unknown;
  /**
   * `"shared"`: a durable reaction that all replicas share. Each end of an agent is handled in one replica, at least once,
   * whoever ended it; if the cleanup throws, it is retried. `"local"`: the replica whose call ended the agent cleans up
   * once, right after the change; for sessions in the memory of that replica. A failure is logged.
   * @default "shared"
   */
  readonly mode?: "shared" | "local";
  /** Time between the end of the agent and the call, by the server's clock. Only with `"shared"`. @default 0 */
  readonly delay?: Duration;
}

/** Options of `AgentLifecycleService`. */
export interface AgentsOptions {
  /** The agent machine, for example with a lease. @default agent() */
  readonly machine?: Machine<AgentState, "agent", AgentEvent>;
  /** Cleans up after agents that ended. @default no cleanup */
  readonly cleanup?: AgentCleanupOptions;
  /** Channel on which the events of agents are published in the format of the replaced service. @default none */
  readonly channel?: string;
}

const OPTIONS: readonly (keyof AgentsOptions)[] = ["machine", "cleanup", "channel"];
const CLEANUP_OPTIONS: readonly (keyof AgentCleanupOptions)[] = ["spawner", "handler", "mode", "delay"];

/** Checks the option `agents`. @throws ContractError if it is invalid */
export function checkAgents(options: AgentsOptions): void {
  checkOptions(options, OPTIONS, "agents");
  const { cleanup, channel } = options;
  checkTypes("string", { "agents.channel": channel });
  if (cleanup === undefined) return;
  checkOptions(cleanup, CLEANUP_OPTIONS, "agents.cleanup");
  const { spawner, handler, mode = "shared", delay } = cleanup;
  checkFunctions({ "agents.cleanup.handler": handler });
  checkWord("agents.cleanup.mode", mode, ["shared", "local"]);
  if ((spawner === undefined) === (handler === undefined))
    refuse("agents.cleanup needs either spawner (the token of a provider) or handler (a function)");
  if (delay === undefined || delay === 0) return;
  checkDuration("agents.cleanup.delay", delay);
  if (mode === "local") refuse('agents.cleanup.delay is only possible with mode "shared"; leave it out');
}
