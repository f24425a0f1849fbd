import type { ChangeOptions, GuardOptions } from "./changes/options.js";
import { type AgentLifecycleState, lifecycleState } from "./contract/agent-documents.js";
import {
  checkFunctions,
  checkId,
  checkOptions,
  checkTypes,
  refuse,
  shortText,
} from "./contract/arguments.js";
import { storableText } from "./contract/storable-text.js";
import { type Entities, storeOf } from "./entities.js";
import { AgentLifecycleError, throwRejection } from "./errors/agent-lifecycle-error.js";
import type { AgentState } from "./machine/agent.js";
import { type PublishEventsOptions, publishEvents } from "./reactions/publish-events.js";
import type { Reaction } from "./reactions/reaction.js";
import { READ_OPTIONS, type ReadOptions } from "./valkey/ask.js";
import { errorText, thrownText } from "./valkey/thrown-text.js";

export type { AgentLifecycleState } from "./contract/agent-documents.js";

/** Options of {@link AgentLifecycle}. */
export interface AgentLifecycleOptions {
  /**
   * Called after an agent ended, in the replica whose call ended it; for example to clean up its session. The call does
   * not wait for it.
   */
  readonly onEnd?: (agent: AgentLifecycleState) => void | Promise<void>;
  /** Called if `onEnd` fails. The agent has ended nevertheless. @default a process warning */
  readonly onEndFailed?: (error: unknown, agent: AgentLifecycleState) => void;
  /** Name of this replica, stored with each change that has no `actor` of its own. @default the `actor` of `connect` */
  readonly actor?: string;
}

/** Options of `registerSpawnedAgent`. */
export interface AgentRegisterOptions extends Pick<ChangeOptions, "actor" | "reason" | "op"> {}

/** Options of each transition of an agent. */
export interface AgentTransitionOptions extends AgentRegisterOptions, Pick<GuardOptions, "ifVersion"> {}

const OPTIONS: readonly (keyof AgentLifecycleOptions)[] = ["onEnd", "onEndFailed", "actor"];
const REGISTER_OPTIONS: readonly (keyof AgentRegisterOptions)[] = ["actor", "reason", "op"];
const TRANSITION_OPTIONS: readonly (keyof AgentTransitionOptions)[] = [...REGISTER_OPTIONS, "ifVersion"];

/**
 * The methods of an in-process agent lifecycle service, for the `agent` machine. If several replicas call them at once,
 * exactly one wins.
 *
 * @example
 * const lifecycle = new AgentLifecycle(await latchkey.machine(agent()), { onEnd: closeSession });
 * await lifecycle.registerSpawnedAgent("a1", "t1");
 * await lifecycle.transitionToRunning("a1", { actor: "ann", reason: "manual start" });
 */
export class AgentLifecycle {
  readonly #agents: Entities<AgentState>;
  readonly #options: AgentLifecycleOptions;

  /** @throws ContractError if an option is invalid */
  constructor(agents: Entities<AgentState>, options: AgentLifecycleOptions = {}) {
    checkOptions(options, OPTIONS);
    const { onEnd, onEndFailed, actor } = options;
    checkFunctions({ onEnd, onEndFailed });
    checkTypes("string", { actor });
    this.#agents = agents;
    this.#options = options;
  }

  /**
   * Creates an agent in state spawning.
   *
   * @param metadata any object that `JSON.stringify` accepts
   * @throws AgentLifecycleError if the ID is in use; ContractError if the ID, the metadata or an option is invalid
   */
  async registerSpawnedAgent(
    agentId: string,
    taskId: string,
    metadata?: object,
    options: AgentRegisterOptions = {},
  ): Promise<AgentLifecycleState> {
    checkOptions(options, REGISTER_OPTIONS);
    const fields = { agentId, taskId, ...(metadata !== undefined && { metadata }) };
    const agent = await this.#agents
      .create(agentId, fields, this.#withActor(options))
      .catch((error: unknown) => throwRejection(error, "spawning"));
    return lifecycleState(agent);
  }

  /**
   * Moves a spawning agent to running.
   *
   * @throws AgentLifecycleError if it does not exist, the transition is illegal or it has not the expected version
   */
  async transitionToRunning(
    agentId: string,
    options: AgentTransitionOptions = {},
  ): Promise<AgentLifecycleState> {
    return this.#move(agentId, "running", options);
  }

  /**
   * Moves a running agent to completed.
   *
   * @throws AgentLifecycleError if it does not exist, the transition is illegal or it has not the expected version
   */
  async transitionToCompleted(
    agentId: string,
    options: AgentTransitionOptions = {},
  ): Promise<AgentLifecycleState> {
    return this.#end(await this.#move(agentId, "completed", options));
  }

  /**
   * Moves a spawning or running agent to failed, whatever `error` is. The text of an error contains its causes; see
   * {@link errorText}.
   *
   * @param error a text, or any thrown value
   * @throws AgentLifecycleError if it does not exist, the transition is illegal or it has not the expected version
   */
  async transitionToFailed(
    agentId: string,
    error: unknown,
    options: AgentTransitionOptions = {},
  ): Promise<AgentLifecycleState> {
    const text = errorText(error ?? "no error text was given");
    return this.#end(await this.#move(agentId, "failed", options, text));
  }

  /**
   * Moves a spawning or running agent to killed.
   *
   * @throws AgentLifecycleError if it does not exist, the transition is illegal or it has not the expected version
   */
  async transitionToKilled(
    agentId: string,
    options: AgentTransitionOptions = {},
  ): Promise<AgentLifecycleState> {
    return this.#end(await this.#move(agentId, "killed", options));
  }

  /** Reads an agent; null if it does not exist. */
  async getAgentLifecycleState(
    agentId: string,
    options: ReadOptions = {},
  ): Promise<AgentLifecycleState | null> {
    checkOptions(options, READ_OPTIONS);
    if (idProblem(agentId) !== undefined) return null;
    const agent = await this.#agents.get(agentId, options);
    return agent === null ? null : lifecycleState(agent);
  }

  /** Lists all agents, ordered by status, then longest in it first. The options apply to each request to the server. */
  async listAgentLifecycleStates(options: ReadOptions = {}): Promise<AgentLifecycleState[]> {
    checkOptions(options, READ_OPTIONS);
    const states: AgentLifecycleState[] = [];
    for await (const agent of this.#agents.list(options)) states.push(lifecycleState(agent));
    return states;
  }

  /**
   * Publishes the events of agents on another channel, with exactly the members of the in-process service: `type`,
   * `agentId`, `taskId`, `timestamp` and, if the agent failed, `error`. For subscribers that cannot read latchkey's own
   * channel yet. Each event is published by one of the replicas that call this, at least once, in order per agent, from
   * the first call on. The client's user needs the permission for the channel.
   *
   * @param channel name of the channel, such as that of the replaced service
   * @throws ContractError if the channel or an option is invalid; NotExecutedError if the server does not reply
   * @example await using publishing = await lifecycle.publishEvents("orchestrator:events");
   */
  async publishEvents(channel: string, options: PublishEventsOptions = {}): Promise<Reaction> {
    const store = storeOf(this.#agents);
    if (store === undefined) refuse("publishEvents needs the entities of a connected client");
    return publishEvents(store, channel, options);
  }

  /**
   * Called when a transition is called, before it is sent. Does nothing; for subclasses that log. It must not throw.
   *
   * @param error the text that is stored, if the agent fails
   */
  protected beforeTransition(_agentId: string, _to: AgentState, _error?: string): void {}

  /** Called after a transition was accepted. Does nothing; for subclasses that log. It must not throw. */
  protected afterTransition(_agent: AgentLifecycleState): void {}

  async #move(
    agentId: string,
    to: AgentState,
    options: AgentTransitionOptions,
    error?: string,
  ): Promise<AgentLifecycleState> {
    checkOptions(options, TRANSITION_OPTIONS);
    const problem = idProblem(agentId);
    const id = problem === undefined ? agentId : idText(agentId);
    this.beforeTransition(id, to, error);
    if (problem !== undefined) {
      const rejection = { code: "NOTFOUND", machine: this.#agents.name, id, current: null } as const;
      throw new AgentLifecycleError(`Agent ${id} not found`, rejection, to, problem);
    }
    const set = error === undefined ? {} : { error };
    const change = await this.#agents
      .transition(agentId, to, { ...this.#withActor(options), set })
      .catch((rejection: unknown) => throwRejection(rejection, to));
    const agent = lifecycleState(change);
    this.afterTransition(agent);
    return agent;
  }

  #withActor<T extends AgentRegisterOptions>(options: T): T {
    const { actor = this.#options.actor } = options;
    return actor === undefined ? options : { ...options, actor };
  }

  /** Calls `onEnd` with an object of its own, because the caller may change the one that is returned. */
  #end(agent: AgentLifecycleState): AgentLifecycleState {
    const { onEnd, onEndFailed = warnOfFailure } = this.#options;
    if (onEnd === undefined) return agent;
    const ended = structuredClone(agent);
    const cleanup = async (): Promise<void> => onEnd(ended);
    cleanup()
      .catch((error: unknown) => onEndFailed(error, ended))
      .catch((error: unknown) => warnOfFailure(error, ended));
    return agent;
  }
}

/** Returns why no agent can have this ID. */
function idProblem(agentId: string): unknown {
  try {
    checkId("id", agentId, 128);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Formats an ID that no agent can have. */
function idText(agentId: unknown): string {
  return typeof agentId === "string" ? storableText(agentId, 128) : shortText(agentId);
}

function warnOfFailure(error: unknown, agent: AgentLifecycleState): void {
  process.emitWarning(`onEnd of agent ${agent.agentId} failed: ${thrownText(error)}`, {
    code: "LATCHKEY_ON_END",
  });
}
