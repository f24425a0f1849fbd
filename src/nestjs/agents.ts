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
    inject: [AGENTS, AgentLifecycleService, LatchkeyRegistry, ModuleRef],
    useFactory: (
      agents: Agents,
      lifecycle: AgentLifecycleService,
      registry: LatchkeyRegistry,
      moduleRef: ModuleRef,
    ) => {
      registry.claim(
        "agents",
        "two connections have the option agents, but AgentLifecycleService can use only one; leave it out of one forRoot",
      );
      return new AgentReactions({ connection, options, agents, lifecycle, registry, moduleRef });
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

interface Parts {
  readonly connection: string;
  readonly options: AgentsOptions;
  readonly agents: Agents;
  readonly lifecycle: AgentLifecycleService;
  readonly registry: LatchkeyRegistry;
  readonly moduleRef: ModuleRef;
}

/** Starts the reactions of the option `agents` when the application starts. */
class AgentReactions implements OnApplicationBootstrap {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async onApplicationBootstrap(): Promise<void> {
    const { options, agents, lifecycle, registry, moduleRef } = this.#parts;
    const { cleanup, channel } = options;
    await registry.start(async () => {
      if (cleanup?.spawner !== undefined) findSpawner(cleanup.spawner, moduleRef);
      if (cleanup !== undefined && cleanup.mode !== "local") {
        const cleanUp = sessionCleanup(cleanup, moduleRef);
        const { delay } = cleanup;
        const more = { on: ENDS, ...(delay !== undefined && { delay }) };
        await this.#start((signal) => agents.react(CLEANUP, ({ id }) => cleanUp(id), { ...more, signal }));
      }
      if (channel !== undefined) await this.#start((signal) => lifecycle.publishEvents(channel, { signal }));
    });
  }

  async #start(react: (signal: AbortSignal) => Promise<Reaction>): Promise<void> {
    const stopping = new AbortController();
    const reaction = await react(stopping.signal);
    this.#parts.registry.add(this.#parts.connection, `reaction ${reaction.name}`, {
      ended: reaction.closed,
      stop: () => reaction.close(),
      abort: (reason) => stopping.abort(reason),
    });
  }
}
