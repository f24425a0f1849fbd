/**
 * Stores agent lifecycle state the way many teams do today, and the way latchkey replaces: each agent is one JSON value in
 * Valkey, and each change is GET and check, GET, SET, PUBLISH. A promise chain per agent keeps two calls of this process
 * apart, so in one process the service is correct. In two processes it is not: both can read the same state, both accept
 * a transition, and the later SET overwrites the earlier one. A crash between SET and PUBLISH loses the event.
 *
 * It is here as the reference for comparison: the demo shows its races, the benchmark measures its speed, and the tests
 * hold it to the behaviour that latchkey's `AgentLifecycle` has to match.
 */
import type { Valkey } from "iovalkey";

export type AgentStatus = "spawning" | "running" | "completed" | "failed" | "killed";

/** An agent as stored. Times are ISO 8601 in UTC, from the clock of the process. */
export interface StoredAgent {
  agentId: string;
  taskId: string;
  status: AgentStatus;
  startedAt?: string;
  completedAt?: string;
  error?: string;
  metadata?: unknown;
}

/** A message on the channel. `error` is present only if the agent failed with an error text. */
export interface AgentEvent {
  type: "agent.spawned" | "agent.updated" | `agent.${Exclude<AgentStatus, "spawning">}`;
  agentId: string;
  taskId: string;
  timestamp: string;
  error?: string;
  /** The new values; only in `agent.updated`. */
  metadata?: Record<string, unknown>;
}

export interface ReplacedServiceOptions {
  /** Start of every key and of the channel. @default "orchestrator" */
  readonly prefix?: string;
  /** Schedules the cleanup of the agent's session. Called once per end, after the event; it must not throw. */
  readonly onEnd?: (agent: StoredAgent) => void;
}

const TRANSITIONS: Record<AgentStatus, readonly AgentStatus[]> = {
  spawning: ["running", "failed", "killed"],
  running: ["completed", "failed", "killed"],
  completed: [],
  failed: [],
  killed: [],
};

/**
 * Keeps the lifecycle of agents in Valkey; correct as long as only one process changes them.
 *
 * @example
 * const service = new ReplacedService(valkey, { onEnd: ({ agentId }) => closeSession(agentId) });
 * await service.registerSpawnedAgent("a1", "t1");
 * await service.transitionToRunning("a1");
 */
export class ReplacedService {
  /** The channel of the events. */
  readonly channel: string;
  readonly #valkey: Valkey;
  readonly #keyPrefix: string;
  readonly #onEnd: ((agent: StoredAgent) => void) | undefined;
  /** The last call for each busy agent, which the next one waits for. */
  readonly #tails = new Map<string, Promise<void>>();

  constructor(valkey: Valkey, { prefix = "orchestrator", onEnd }: ReplacedServiceOptions = {}) {
    this.#valkey = valkey;
    this.#keyPrefix = `${prefix}:agent:`;
    this.channel = `${prefix}:events`;
    this.#onEnd = onEnd;
  }

  /** Stores a new agent as spawning. Overwrites an agent with the same id. */
  registerSpawnedAgent(agentId: string, taskId: string, metadata?: unknown): Promise<StoredAgent> {
    return this.#enqueue(agentId, async () => {
      const agent: StoredAgent = {
        agentId,
        taskId,
        status: "spawning",
        ...(metadata !== undefined && { metadata }),
      };
      await this.#store(agent);
      await this.#publish("agent.spawned", agent, now());
      return agent;
    });
  }

  /** Moves an agent from spawning to running. @throws Error if it does not exist or is in another state. */
  transitionToRunning(agentId: string): Promise<StoredAgent> {
    return this.#transition(agentId, "running");
  }

  /** Moves an agent from running to completed. @throws Error if it does not exist or is in another state. */
  transitionToCompleted(agentId: string): Promise<StoredAgent> {
    return this.#transition(agentId, "completed");
  }

  /** Moves an agent from spawning or running to failed. @throws Error if it does not exist or has ended. */
  transitionToFailed(agentId: string, error: string): Promise<StoredAgent> {
    return this.#transition(agentId, "failed", error);
  }

  /** Moves an agent from spawning or running to killed. @throws Error if it does not exist or has ended. */
  transitionToKilled(agentId: string): Promise<StoredAgent> {
    return this.#transition(agentId, "killed");
  }

  /** Adds values to the metadata of an agent, as an object. @throws Error if the agent does not exist. */
  updateMetadata(agentId: string, metadata: Record<string, unknown>): Promise<StoredAgent> {
    return this.#enqueue(agentId, async () => {
      const agent = await this.#load(agentId);
      agent.metadata = { ...(agent.metadata as object | undefined), ...metadata };
      await this.#store(agent);
      await this.#publish("agent.updated", agent, now(), metadata);
      return agent;
    });
  }

  /** Returns an agent, or null if it does not exist. */
  async getAgentLifecycleState(agentId: string): Promise<StoredAgent | null> {
    const json = await this.#valkey.get(this.#keyPrefix + agentId);
    return json === null ? null : (JSON.parse(json) as StoredAgent);
  }

  /** Returns all agents, in no particular order. */
  async listAgentLifecycleStates(): Promise<StoredAgent[]> {
    const keys = new Set<string>(); // SCAN may return a key twice
    let cursor = "0";
    do {
      const [next, page] = await this.#valkey.scan(cursor, "MATCH", `${this.#keyPrefix}*`, "COUNT", 1000);
      for (const key of page) keys.add(key);
      cursor = next;
    } while (cursor !== "0");
    const values = keys.size === 0 ? [] : await this.#valkey.mget(...keys);
    return values.filter((json) => json !== null).map((json) => JSON.parse(json) as StoredAgent);
  }

  #transition(agentId: string, to: Exclude<AgentStatus, "spawning">, error?: string): Promise<StoredAgent> {
    return this.#enqueue(agentId, async () => {
      const { status } = await this.#load(agentId);
      if (!TRANSITIONS[status].includes(to))
        throw new Error(`Invalid state transition from ${status} to ${to}`);
      const time = now();
      const agent = await this.#update(agentId, to, time, error);
      await this.#publish(`agent.${to}`, agent, time);
      if (TRANSITIONS[to].length === 0) this.#onEnd?.(agent);
      return agent;
    });
  }

  /** Reads the agent again and changes only what the transition sets, so that other fields stay. */
  async #update(agentId: string, status: AgentStatus, time: string, error?: string): Promise<StoredAgent> {
    const agent = await this.#load(agentId);
    agent.status = status;
    if (status === "running") agent.startedAt ??= time;
    else agent.completedAt = time;
    if (error !== undefined) agent.error = error;
    await this.#store(agent);
    return agent;
  }

  async #load(agentId: string): Promise<StoredAgent> {
    const agent = await this.getAgentLifecycleState(agentId);
    if (agent === null) throw new Error(`Agent ${agentId} not found`);
    return agent;
  }

  async #store(agent: StoredAgent): Promise<void> {
    await this.#valkey.set(this.#keyPrefix + agent.agentId, JSON.stringify(agent));
  }

  async #publish(
    type: AgentEvent["type"],
    { agentId, taskId, error }: StoredAgent,
    timestamp: string,
    metadata?: Record<string, unknown>,
  ): Promise<void> {
    const details = { ...(error !== undefined && { error }), ...(metadata !== undefined && { metadata }) };
    const event: AgentEvent = { type, agentId, taskId, timestamp, ...details };
    await this.#valkey.publish(this.channel, JSON.stringify(event));
  }

  /** Runs `work` after all earlier calls for the agent: the mutex, which reaches no further than this process. */
  #enqueue<T>(agentId: string, work: () => Promise<T>): Promise<T> {
    const result = (this.#tails.get(agentId) ?? Promise.resolve()).then(work);
    const release = () => {
      if (this.#tails.get(agentId) === tail) this.#tails.delete(agentId);
    };
    const tail = result.then(release, release); // a failed call does not block the next one
    this.#tails.set(agentId, tail);
    return result;
  }
}

function now(): string {
  return new Date().toISOString();
}
