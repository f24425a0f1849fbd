import {
  type AgentState,
  type Entities,
  type Hold,
  RejectedError,
  type Result,
  type Snapshot,
} from "latchkey";
import { endOf } from "./end-state.js";
import type { Call, Exit } from "./messages.js";
import type { ReplacedService, StoredAgent } from "./replaced-service.js";

/** Records what happens to agents. Each method makes one call and returns its result. */
export interface Lifecycle {
  /** Records a new agent. */
  register(id: string, taskId: string, isOwner: boolean): Promise<Call | undefined>;
  /** Records that the agent's process runs. */
  start(id: string, pid: number): Promise<Call>;
  /** Records an operator's order to kill an agent. Undefined if the way records the end of the process alone. */
  kill(id: string): Promise<Call | undefined>;
  /** Records how the agent's process ended. */
  end(id: string, exit: Exit, killReason: string | undefined): Promise<Call>;
  /** Renews the agent's lease until it is closed. Undefined if there is no lease. */
  hold(id: string): Promise<Pick<Hold, "close"> | undefined>;
}

/** Records with latchkey: every replica attempts every change, and the server accepts one of them. */
export function latchkeyLifecycle(name: string, agents: Entities<AgentState>): Lifecycle {
  // The `op` names the replica, because the actor of a kill is the operator.
  const own = (to: AgentState) => ({ op: `${name}:${to}`, actor: name });
  return {
    register: async (id, taskId) =>
      callOf(id, "spawning", await agents.tryCreate(id, { taskId }, own("spawning"))),
    start: async (id, pid) =>
      callOf(id, "running", await agents.tryTransition(id, "running", { ...own("running"), set: { pid } })),
    kill: async () => undefined,
    end: async (id, exit, killReason) => {
      const { to, options } = endOf(exit, killReason);
      return callOf(id, to, await agents.tryTransition(id, to, { ...own(to), ...options }));
    },
    hold: async (id) => {
      try {
        return await agents.hold(id);
      } catch (error) {
        if (error instanceof RejectedError) return undefined; // the lease has expired; the verdict reports it
        throw error;
      }
    },
  };
}

function callOf(id: string, to: AgentState, result: Result<AgentState>): Call {
  if (!result.ok) return { id, to, outcome: result.outcome, ...seenIn(result.current) };
  const { document } = result;
  // A replay is the success of an earlier attempt of this call, whose reply was lost.
  return { id, to, outcome: "OK", version: document.opVersion ?? document.version, state: to };
}

function seenIn(current: Snapshot | null): Pick<Call, "version" | "state"> {
  return { version: current?.version ?? 0, state: current?.state ?? "" };
}

/** Records with the replaced service, whose mutex ends at the border of the process. */
export function replacedLifecycle(service: ReplacedService): Lifecycle {
  return {
    register: async (id, taskId, isOwner) =>
      isOwner ? attempt(id, "spawning", () => service.registerSpawnedAgent(id, taskId)) : undefined,
    start: async (id) => attempt(id, "running", () => service.transitionToRunning(id)),
    kill: async (id) => attempt(id, "killed", () => service.transitionToKilled(id)),
    end: async (id, exit, killReason) => {
      const { to, options } = endOf(exit, killReason);
      if (to === "completed") return attempt(id, to, () => service.transitionToCompleted(id));
      if (to === "killed") return attempt(id, to, () => service.transitionToKilled(id));
      return attempt(id, to, () => service.transitionToFailed(id, String(options.set?.error)));
    },
    hold: async () => undefined,
  };
}

async function attempt(id: string, to: AgentState, run: () => Promise<StoredAgent>): Promise<Call> {
  try {
    const { status } = await run();
    return { id, to, outcome: "OK", version: 0, state: status };
  } catch (error) {
    const [, state = ""] =
      /^Invalid state transition from (\w+)/.exec(String((error as Error).message)) ?? [];
    if (state === "") throw error;
    return { id, to, outcome: "REJECTED", version: 0, state };
  }
}
