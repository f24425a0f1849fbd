import { checkFunctions, checkOptions } from "./contract/arguments.js";
import type { Snapshot } from "./contract/document.js";
import type { Entities } from "./entities.js";
import { AgentLifecycleError } from "./errors/agent-lifecycle-error.js";
import { AlreadyExistsError, IllegalTransitionError, NotFoundError } from "./errors/rejected-errors.js";
import type { AgentState } from "./machine/agent.js";
import type { JsonValue } from "./machine/json-value.js";
import { thrownText } from "./valkey/thrown-text.js";

/** In characters; a value may have 64 KiB as JSON, where a character takes up to 6 bytes. */
const LONGEST_ERROR = 10_000;

/** An agent as the in-process service showed it. */
export interface AgentLifecycleState {
  readonly agentId: string;
  readonly taskId: string;
  readonly status: AgentState;
  readonly startedAt?: string;
  readonly completedAt?: string;
  readonly error?: string;
  readonly metadata?: JsonValue;
}

/** Settings of {@link AgentLifecycle}. */
export interface AgentLifecycleOptions {
  /** Called once an agent ended, by the replica whose call ended it: session cleanup, for instance. */
  readonly onEnd?: (agent: AgentLifecycleState) => void | Promise<void>;
  /** Told of a failing `onEnd`: the agent has ended all the same. @default a process warning */
  readonly onEndFailed?: (error: unknown, agent: AgentLifecycleState) => void;
  /** Who changes, for the log: the replica's name. */
  readonly actor?: string;
}

const OPTIONS: ReadonlySet<string> = new Set<keyof AgentLifecycleOptions>(["onEnd", "onEndFailed", "actor"]);

/**
 * The methods of an in-process agent lifecycle service, on the `agent` machine. Any number of replicas may call them at
 * once: one wins.
 *
 * @example
 * const lifecycle = new AgentLifecycle(await latchkey.machine(agent()), { onEnd: closeSession });
 * await lifecycle.registerSpawnedAgent("a1", "t1");
 * await lifecycle.transitionToRunning("a1");
 */
export class AgentLifecycle {
  readonly #agents: Entities<AgentState>;
  readonly #options: AgentLifecycleOptions;

  /** @throws ContractError for options that can't be. */
  constructor(agents: Entities<AgentState>, options: AgentLifecycleOptions = {}) {
    checkOptions(options, OPTIONS);
    const { onEnd, onEndFailed } = options;
    checkFunctions({ onEnd, onEndFailed });
    this.#agents = agents;
    this.#options = options;
  }

  /** Records a new agent, spawning. @throws AgentLifecycleError when the id is taken. */
  async registerSpawnedAgent(
    agentId: string,
    taskId: string,
    metadata?: JsonValue,
  ): Promise<AgentLifecycleState> {
    const fields = { agentId, taskId, ...(metadata !== undefined && { metadata }) };
    const agent = await this.#agents.create(agentId, fields, this.#by()).catch(translate);
    return lifecycleState(agent);
  }

  /** Spawning to running. @throws AgentLifecycleError when there is no such agent, or it can't. */
  async transitionToRunning(agentId: string): Promise<AgentLifecycleState> {
    return this.#move(agentId, "running");
  }

  /** Running to completed. @throws AgentLifecycleError when there is no such agent, or it can't. */
  async transitionToCompleted(agentId: string): Promise<AgentLifecycleState> {
    return this.#end(await this.#move(agentId, "completed"));
  }

  /**
   * Spawning or running to failed. Of an error text longer than 10,000 characters the beginning is kept.
   *
   * @throws AgentLifecycleError when there is no such agent, or it can't.
   */
  async transitionToFailed(agentId: string, error: string): Promise<AgentLifecycleState> {
    return this.#end(await this.#move(agentId, "failed", { error: storable(error) }));
  }

  /** Spawning or running to killed. @throws AgentLifecycleError when there is no such agent, or it can't. */
  async transitionToKilled(agentId: string): Promise<AgentLifecycleState> {
    return this.#end(await this.#move(agentId, "killed"));
  }

  /** The agent as it is; null where there is none. */
  async getAgentLifecycleState(agentId: string): Promise<AgentLifecycleState | null> {
    const agent = await this.#agents.get(agentId);
    return agent === null ? null : lifecycleState(agent);
  }

  /** All agents: by status, then longest in it first. */
  async listAgentLifecycleStates(): Promise<AgentLifecycleState[]> {
    const states: AgentLifecycleState[] = [];
    for await (const agent of this.#agents.list()) states.push(lifecycleState(agent));
    return states;
  }

  #by(): { actor?: string } {
    return this.#options.actor === undefined ? {} : { actor: this.#options.actor };
  }

  async #move(
    agentId: string,
    to: AgentState,
    set: Record<string, JsonValue> = {},
  ): Promise<AgentLifecycleState> {
    const agent = await this.#agents.transition(agentId, to, { ...this.#by(), set }).catch(translate);
    return lifecycleState(agent);
  }

  async #end(agent: AgentLifecycleState): Promise<AgentLifecycleState> {
    const { onEnd, onEndFailed = warn } = this.#options;
    try {
      await onEnd?.(agent);
    } catch (error) {
      onEndFailed(error, agent);
    }
    return agent;
  }
}

/** What programs print as they die is long, or cut in the middle of a character: no reason to leave an agent running. */
function storable(error: string): string {
  if (typeof error !== "string") return error; // refused as what it is
  const text = error.length > LONGEST_ERROR ? `${error.slice(0, LONGEST_ERROR - 1)}…` : error;
  return Buffer.from(text).toString(); // half a surrogate pair becomes U+FFFD
}

function warn(error: unknown, agent: AgentLifecycleState): void {
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
    taskId: textOf(taskId) ?? "",
    status: state,
    ...(typeof startedAt === "string" && { startedAt }),
    ...(typeof completedAt === "string" && { completedAt }),
    ...(error !== undefined && { error: textOf(error) ?? JSON.stringify(error) }),
    ...(metadata !== undefined && { metadata }),
  };
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
