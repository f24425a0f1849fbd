import type { FactoryProvider, OnApplicationBootstrap, Provider } from "@nestjs/common";
import { ModuleRef } from "@nestjs/core";
import type { AgentLifecycleOptions } from "../agent-lifecycle.js";
import type { Entities } from "../entities.js";
import { type AgentEvent, type AgentState, agent } from "../machine/agent.js";
import { checkedMachine } from "../machine/define.js";
import type { Reaction } from "../reactions/reaction.js";
import { AGENT_LIFECYCLE_OPTIONS, AGENTS, AgentLifecycleService } from "./agent-lifecycle-service.js";
import { type AgentsOptions, checkAgents } from "./agents-options.js";
import { entitiesProvider } from "./entities-provider.js";
import { LatchkeyRegistry } from "./registry.js";
import { findSpawner, sessionCleanup } from "./session-cleanup.js";

/** Name of the reaction that cleans up sessions. */
const CLEANUP = "session-cleanup";
const ENDS: readonly AgentEvent[] = ["agent.completed", "agent.failed", "agent.killed"];

type Agents = Entities<AgentState>;

/** Makes the providers of the option `agents`, and names those that other modules may use. */
export function agentProviders(
  connection: string,
  options: AgentsOptions,
): { readonly providers: Provider[]; readonly exports: FactoryProvider["provide"][] } {
  checkAgents(options);
  const entities = entitiesProvider(checkedMachine(options.machine ?? agent()), connection);
  const reactions: FactoryProvider = {
    provide: "LatchkeyAgentReactions",
    inject: [AGENTS, LatchkeyRegistry, ModuleRef],
    useFactory: (agents: Agents, registry: LatchkeyRegistry, moduleRef: ModuleRef) => {
      registry.claim(
        "agents",
        "two connections have the option agents, but AgentLifecycleService can use only one; leave it out of one forRoot",
      );
      return new AgentReactions(connection, agents, options, registry, moduleRef);
    },
  };
  const lifecycleOptions: FactoryProvider = {
    provide: AGENT_LIFECYCLE_OPTIONS,
    inject: [ModuleRef],
    useFactory: (moduleRef: ModuleRef) => optionsOf(options, moduleRef),
  };
  return {
    providers: [
      entities,
      { provide: AGENTS, useExisting: entities.provide },
      lifecycleOptions,
      AgentLifecycleService,
      reactions,
    ],
    exports: [entities.provide, AGENTS, AGENT_LIFECYCLE_OPTIONS, AgentLifecycleService],
  };
}

function optionsOf({ cleanup }: AgentsOptions, moduleRef: ModuleRef): AgentLifecycleOptions {
  if (cleanup?.mode !== "local") return {};
  const cleanUp = sessionCleanup(cleanup, moduleRef);
  return { onEnd: ({ agentId }) => cleanUp(agentId) };
}

/** Starts the reactions of the option `agents` when the application starts. */
class AgentReactions implements OnApplicationBootstrap {
  readonly #connection: string;
  readonly #agents: Agents;
  readonly #options: AgentsOptions;
  readonly #registry: LatchkeyRegistry;
  readonly #moduleRef: ModuleRef;

  constructor(
    connection: string,
    agents: Agents,
    options: AgentsOptions,
    registry: LatchkeyRegistry,
    moduleRef: ModuleRef,
  ) {
    this.#connection = connection;
    this.#agents = agents;
    this.#options = options;
    this.#registry = registry;
    this.#moduleRef = moduleRef;
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.#registry.start(() => this.#react());
  }

  async #react(): Promise<void> {
    const { cleanup } = this.#options;
    if (cleanup?.spawner !== undefined) findSpawner(cleanup.spawner, this.#moduleRef);
    if (cleanup !== undefined && cleanup.mode !== "local") {
      const cleanUp = sessionCleanup(cleanup, this.#moduleRef);
      const { delay } = cleanup;
      await this.#start(CLEANUP, (signal) =>
        this.#agents.react(CLEANUP, ({ id }) => cleanUp(id), {
          on: ENDS,
          signal,
          ...(delay !== undefined && { delay }),
        }),
      );
    }
  }

  async #start(name: string, react: (signal: AbortSignal) => Promise<Reaction>): Promise<void> {
    const stopping = new AbortController();
    const reaction = await react(stopping.signal);
    this.#registry.add(this.#connection, `reaction ${name}`, {
      ended: reaction.closed,
      stop: () => reaction.close(),
      abort: (reason) => stopping.abort(reason),
    });
  }
}
