import { checkFunctions, checkOptions } from "./contract/arguments.js";
import type { Snapshot } from "./contract/document.js";
import type { Entities } from "./entities.js";
import { AgentLifecycleError } from "./errors/agent-lifecycle-error.js";
import { AlreadyExistsError, IllegalTransitionError, NotFoundError } from "./errors/rejected-errors.js";
import type { AgentState } from "./machine/agent.js";
import type { JsonValue } from "./machine/json-value.js";
import { errorText, thrownText } from "./valkey/thrown-text.js";

/** State of an agent, in the form of the in-process service. */
export interface AgentLifecycleState {
  readonly agentId: string;
  readonly taskId: string;
  readonly status: AgentState;
  readonly startedAt?: string;
  readonly completedAt?: string;
  readonly error?: string;
  readonly metadata?: JsonValue;
}

/** Options of {@link AgentLifecycle}. */
export interface AgentLifecycleOptions {
  /** Called after an agent ended, in the replica whose call ended it; for example to clean up its session. */
  readonly onEnd?: (agent: AgentLifecycleState) => void | Promise<void>;
  /** Called if `onEnd` fails. The agent has ended nevertheless. @default a process warning */
  readonly onEndFailed?: (error: unknown, agent: AgentLifecycleState) => void;
  /** Name of this replica, stored with each change. */
  readonly actor?: string;
}

const OPTIONS: readonly (keyof AgentLifecycleOptions)[] = ["onEnd", "onEndFailed", "actor"];

/**
 * The methods of an in-process agent lifecycle service, for the `agent` machine. If several replicas call them at once,
 * exactly one wins.
 *
 * @example
 * const lifecycle = new AgentLifecycle(await latchkey.machine(agent()), { onEnd: closeSession });
 * await lifecycle.registerSpawnedAgent("a1", "t1");
 * await lifecycle.transitionToRunning("a1");
 */
export class AgentLifecycle {
  readonly #agents: Entities<AgentState>;
  readonly #options: AgentLifecycleOptions;
  readonly #actor: { readonly actor?: string };

  /** @throws ContractError if an option is invalid */
  constructor(agents: Entities<AgentState>, options: AgentLifecycleOptions = {}) {
    checkOptions(options, OPTIONS);
    const { onEnd, onEndFailed, actor } = options;
    checkFunctions({ onEnd, onEndFailed });
    this.#agents = agents;
    this.#options = options;
    this.#actor = actor === undefined ? {} : { actor };
  }

  /** Creates an agent in state spawning. @throws AgentLifecycleError if the ID is in use */
  async registerSpawnedAgent(
    agentId: string,
    taskId: string,
    metadata?: JsonValue,
  ): Promise<AgentLifecycleState> {
    const fields = { agentId, taskId, ...(metadata !== undefined && { metadata }) };
    const agent = await this.#agents.create(agentId, fields, this.#actor).catch(translate);
    return lifecycleState(agent);
  }

  /** Moves a spawning agent to running. @throws AgentLifecycleError if it does not exist or the transition is illegal */
  async transitionToRunning(agentId: string): Promise<AgentLifecycleState> {
    return this.#move(agentId, "running");
  }

  /** Moves a running agent to completed. @throws AgentLifecycleError if it does not exist or the transition is illegal */
  async transitionToCompleted(agentId: string): Promise<AgentLifecycleState> {
    return this.#end(await this.#move(agentId, "completed"));
  }

  /**
   * Moves a spawning or running agent to failed. The error text is stored without colours and
   * control characters, and cut after 32,000 bytes.
   *
   * @throws AgentLifecycleError if it does not exist or the transition is illegal
   */
  async transitionToFailed(agentId: string, error: string): Promise<AgentLifecycleState> {
    return this.#end(await this.#move(agentId, "failed", { error: errorText(error) }));
  }

  /**
   * Moves a spawning or running agent to killed.
   *
   * @throws AgentLifecycleError if it does not exist or the transition is illegal
   */
  async transitionToKilled(agentId: string): Promise<AgentLifecycleState> {
    return this.#end(await this.#move(agentId, "killed"));
  }

  /** Reads an agent; null if it does not exist. */
  async getAgentLifecycleState(agentId: string): Promise<AgentLifecycleState | null> {
    const agent = await this.#agents.get(agentId);
    return agent === null ? null : lifecycleState(agent);
  }

  /** Lists all agents, ordered by status, then longest in it first. */
  async listAgentLifecycleStates(): Promise<AgentLifecycleState[]> {
    const states: AgentLifecycleState[] = [];
    for await (const agent of this.#agents.list()) states.push(lifecycleState(agent));
    return states;
  }

  async #move(
    agentId: string,
    to: AgentState,
    set: Record<string, JsonValue> = {},
  ): Promise<AgentLifecycleState> {
    const agent = await this.#agents.transition(agentId, to, { ...this.#actor, set }).catch(translate);
    return lifecycleState(agent);
  }

  async #end(agent: AgentLifecycleState): Promise<AgentLifecycleState> {
    const { onEnd, onEndFailed = warnOfFailure } = this.#options;
    try {
      await onEnd?.(agent);
    } catch (error) {
      onEndFailed(error, agent);
    }
    return agent;
  }
}

function warnOfFailure(error: unknown, agent: AgentLifecycleState): void {
  process.emitWarning(`onEnd of agent ${agent.agentId} failed: ${thrownText(error)}`, {
    code: "LATCHKEY_ON_END",
  });
}

function translate(error: unknown): never {
  if (error instanceof NotFoundError)
    throw new AgentLifecycleError(error.code, `Agent ${error.id} not found`);
  if (error instanceof AlreadyExistsError)
    throw new AgentLifecycleError(error.code, `Agent ${error.id} already exists`);
  if (error instanceof IllegalTransitionError) {
    const from = error.current?.state ?? "unknown";
    throw new AgentLifecycleError(error.code, `Invalid state transition from ${from} to ${error.to}`);
  }
  throw error;
}

function lifecycleState(agent: Snapshot<AgentState>): AgentLifecycleState {
  const { id, state, taskId, startedAt, completedAt, error, metadata } = agent;
  return {
    agentId: id,
    taskId: asText(taskId) ?? "",
    status: state,
    ...(typeof startedAt === "string" && { startedAt }),
    ...(typeof completedAt === "string" && { completedAt }),
    ...(error !== undefined && { error: asText(error) ?? JSON.stringify(error) }),
    ...(metadata !== undefined && { metadata }),
  };
}

function asText(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
