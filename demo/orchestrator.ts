import { type AgentProcess, startAgent } from "./agent-process.js";
import type { Lifecycle } from "./lifecycle.js";
import type { Exit, Fact, FromReplica } from "./messages.js";

/**
 * One replica. It attempts to record every fact that it receives, as all other replicas do at the same moment, and
 * reports the result of each call. One replica, the agent's owner, starts the process and holds its lease.
 */
export class Orchestrator {
  readonly #name: string;
  readonly #lifecycle: Lifecycle;
  readonly #send: (message: FromReplica) => void;
  readonly #fail: (error: unknown) => void;
  /** The last step of each agent: a replica handles the facts of one agent in order. */
  readonly #steps = new Map<string, Promise<void>>();
  readonly #processes = new Map<string, AgentProcess>();
  readonly #holds = new Map<string, { close(): Promise<void> }>();
  readonly #killReasons = new Map<string, string>();

  constructor(
    name: string,
    lifecycle: Lifecycle,
    send: (message: FromReplica) => void,
    fail: (error: unknown) => void,
  ) {
    this.#name = name;
    this.#lifecycle = lifecycle;
    this.#send = send;
    this.#fail = fail;
  }

  /** Handles a fact after all earlier facts of the same agent. */
  receive(fact: Fact): void {
    const previous = this.#steps.get(fact.id) ?? Promise.resolve();
    const step = previous.then(() => this.#handle(fact)).catch(this.#fail);
    this.#steps.set(fact.id, step);
  }

  /** Ends all processes that this replica started. */
  async killAll(): Promise<void> {
    const running = [...this.#processes.values()];
    for (const process of running) process.kill("SIGKILL");
    await Promise.all(running.map(({ ended }) => ended));
  }

  async #handle(fact: Fact): Promise<void> {
    const { id } = fact;
    switch (fact.kind) {
      case "task": {
        const isOwner = fact.owner === this.#name;
        await this.#report(this.#lifecycle.register(id, fact.taskId, isOwner));
        if (isOwner) this.#start(id, fact.command);
        return;
      }
      case "started":
        await this.#report(this.#lifecycle.start(id, fact.pid));
        // The state is running now, whoever won: the process may begin, and end.
        if (this.#processes.has(id)) await this.#hold(id);
        this.#processes.get(id)?.work(id);
        return;
      case "kill-ordered":
        this.#killReasons.set(id, fact.reason);
        this.#processes.get(id)?.kill("SIGTERM");
        if (fact.receiver === this.#name) await this.#report(this.#lifecycle.kill(id));
        return;
      case "ended":
        await this.#report(this.#lifecycle.end(id, fact.exit, this.#killReasons.get(id)));
        this.#steps.delete(id);
        this.#killReasons.delete(id);
    }
  }

  async #report(running: ReturnType<Lifecycle["kill"]>): Promise<void> {
    const call = await running;
    if (call !== undefined) this.#send({ type: "call", call });
  }

  /** Renews the agent's lease while this replica lives and the process runs. */
  async #hold(id: string): Promise<void> {
    const hold = await this.#lifecycle.hold(id);
    if (hold !== undefined) this.#holds.set(id, hold);
  }

  #start(id: string, command: string): void {
    const process = startAgent(command);
    this.#processes.set(id, process);
    if (process.pid !== undefined) {
      this.#send({ type: "fact", fact: { kind: "started", id, pid: process.pid } });
    }
    const report = (exit: Exit): void => {
      this.#processes.delete(id);
      void this.#holds.get(id)?.close();
      this.#holds.delete(id);
      this.#send({ type: "fact", fact: { kind: "ended", id, exit } });
    };
    process.ended.then(report, this.#fail);
  }
}
