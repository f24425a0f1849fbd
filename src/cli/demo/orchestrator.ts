import type { Result } from "../../changes/result.js";
import type { Entities } from "../../entities.js";
import { RejectedError } from "../../errors/rejected-errors.js";
import type { Hold } from "../../leases/hold.js";
import type { AgentState } from "../../machine/agent.js";
import { type AgentProcess, startAgent } from "./agent-process.js";
import { endOf } from "./end-state.js";
import type { Exit, Fact, FromReplica } from "./messages.js";

/**
 * One replica: it tries to record everything it hears of, as all the others do at the same moment, and tells how each
 * call went. Only the starting of a process, and holding its lease while it runs, is the task of one of them, the
 * agent's owner.
 */
export class Orchestrator {
  readonly #name: string;
  readonly #agents: Entities<AgentState>;
  readonly #tell: (message: FromReplica) => void;
  readonly #fail: (error: unknown) => void;
  /** The last step of each agent: what this replica does to one agent, it does in order. */
  readonly #steps = new Map<string, Promise<void>>();
  readonly #processes = new Map<string, AgentProcess>();
  readonly #holds = new Map<string, Hold>();
  readonly #killReasons = new Map<string, string>();

  constructor(
    name: string,
    agents: Entities<AgentState>,
    tell: (message: FromReplica) => void,
    fail: (error: unknown) => void,
  ) {
    this.#name = name;
    this.#agents = agents;
    this.#tell = tell;
    this.#fail = fail;
  }

  /** Takes note of a fact, and acts on it once all facts of that agent heard before are done with. */
  hear(fact: Fact): void {
    const before = this.#steps.get(fact.id) ?? Promise.resolve();
    const step = before.then(() => this.#act(fact)).catch(this.#fail);
    this.#steps.set(fact.id, step);
  }

  /** Ends all processes that this replica started. */
  async killAll(): Promise<void> {
    const running = [...this.#processes.values()];
    for (const process of running) process.kill("SIGKILL");
    await Promise.all(running.map(({ ended }) => ended));
  }

  async #act(fact: Fact): Promise<void> {
    const { id } = fact;
    switch (fact.kind) {
      case "task": {
        const { taskId, command, owner } = fact;
        const options = { op: this.#op("spawning"), actor: this.#name };
        await this.#call(id, "spawning", () => this.#agents.tryCreate(id, { taskId }, options));
        if (owner === this.#name) this.#start(id, command);
        return;
      }
      case "started": {
        const options = { op: this.#op("running"), actor: this.#name, set: { pid: fact.pid } };
        await this.#call(id, "running", () => this.#agents.tryTransition(id, "running", options));
        // Running is on record now, whoever won: the process may begin, and end.
        if (this.#processes.has(id)) await this.#hold(id);
        this.#processes.get(id)?.work(id);
        return;
      }
      case "kill-ordered":
        this.#killReasons.set(id, fact.reason);
        this.#processes.get(id)?.kill("SIGTERM");
        return;
      case "ended": {
        const { to, options } = endOf(fact.exit, this.#killReasons.get(id));
        const signed = { actor: this.#name, ...options, op: this.#op(to) };
        await this.#call(id, to, () => this.#agents.tryTransition(id, to, signed));
        this.#steps.delete(id);
        this.#killReasons.delete(id);
      }
    }
  }

  /** Names the intended change, and who intends it: where the actor is the operator, this still tells the replica. */
  #op(to: AgentState): string {
    return `${this.#name}:${to}`;
  }

  async #call(id: string, to: AgentState, run: () => Promise<Result<AgentState>>): Promise<void> {
    const started = performance.now();
    const result = await run();
    const ms = performance.now() - started;
    const now = result.ok ? result.document : result.current;
    const { version = 0, state = "" } = now ?? {};
    this.#tell({ type: "call", call: { id, to, outcome: result.outcome, version, state, ms } });
  }

  /** Renews the agent's lease for as long as this replica lives and its process runs. */
  async #hold(id: string): Promise<void> {
    try {
      this.#holds.set(id, await this.#agents.hold(id));
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error; // else it has run out already: the verdict tells
    }
  }

  #start(id: string, command: string): void {
    const process = startAgent(command);
    this.#processes.set(id, process);
    if (process.pid !== undefined) {
      this.#tell({ type: "fact", fact: { kind: "started", id, pid: process.pid } });
    }
    const report = (exit: Exit): void => {
      this.#processes.delete(id);
      void this.#holds.get(id)?.close();
      this.#holds.delete(id);
      this.#tell({ type: "fact", fact: { kind: "ended", id, exit } });
    };
    process.ended.then(report, this.#fail);
  }
}
