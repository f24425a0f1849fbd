import { Inject, Injectable, Logger } from "@nestjs/common";
import { AgentLifecycle, type AgentLifecycleOptions, type AgentLifecycleState } from "../agent-lifecycle.js";
import type { Entities } from "../entities.js";
import { isError } from "../errors/is-error.js";
import type { AgentState } from "../machine/agent.js";

/** Token of the entities of the agent machine, on whichever connection has the option `agents`. */
export const AGENTS = "LatchkeyAgents";
/** Token of the options of the service's base class. */
export const AGENT_LIFECYCLE_OPTIONS = "LatchkeyAgentLifecycleOptions";

/**
 * The lifecycle of agents, with the methods, messages and log lines of an in-process service of that name. The option
 * `agents` of `LatchkeyModule.forRoot` provides it in all modules.
 *
 * @example
 * @Injectable()
 * class Orchestrator {
 *   constructor(@Inject(AgentLifecycleService) private readonly lifecycle: AgentLifecycleService) {}
 * }
 */
@Injectable()
export class AgentLifecycleService extends AgentLifecycle {
  readonly #logger: Logger;

  constructor(
    @Inject(AGENTS) agents: Entities<AgentState>,
    @Inject(AGENT_LIFECYCLE_OPTIONS) options: AgentLifecycleOptions,
  ) {
    const logger = new Logger("AgentLifecycleService");
    super(agents, {
      onEndFailed: (error, { agentId }) =>
        logger.error(`Cleanup of agent ${agentId} failed: ${isError(error) ? error.message : error}`),
      ...options,
    });
    this.#logger = logger;
    logger.log("AgentLifecycleService initialized");
  }

  protected override beforeTransition(agentId: string, to: AgentState, error?: string): void {
    this.#logger.log(`Transitioning agent ${agentId} to ${to}${error === undefined ? "" : `: ${error}`}`);
  }

  protected override afterTransition({ agentId, status, error }: AgentLifecycleState): void {
    const line = `Agent ${agentId} transitioned to ${status}`;
    if (status === "failed") this.#logger.error(`${line}: ${error}`);
    else if (status === "killed") this.#logger.warn(line);
    else this.#logger.log(line);
  }
}
