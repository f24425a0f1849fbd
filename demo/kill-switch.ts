import type { Call } from "./messages.js";
import type { Task } from "./plan.js";

/**
 * Decides when the replica that is to be killed can be killed: when its long agents run and its other agents have ended.
 * An agent that does not run yet has no lease, so nobody would record its end.
 */
export class KillSwitch {
  /** Its agents that are not ready, with the number of replicas that have attempted to record that they are. */
  readonly #pending: Map<string, { readonly isLong: boolean; attempts: number }>;
  readonly #replicas: number;
  readonly #isFinal: (state: string) => boolean;
  readonly #kill: () => void;

  /**
   * @param tasks the tasks of the replica that is to be killed; at least one
   * @param replicas number of replicas
   * @param kill called once, when the time has come
   */
  constructor(
    tasks: readonly Task[],
    replicas: number,
    isFinal: (state: string) => boolean,
    kill: () => void,
  ) {
    this.#pending = new Map(tasks.map(({ id, isLong }) => [id, { isLong, attempts: 0 }]));
    this.#replicas = replicas;
    this.#isFinal = isFinal;
    this.#kill = kill;
  }

  /** Notes a replica's call. */
  noteCall({ id, to }: Call): void {
    const agent = this.#pending.get(id);
    if (agent === undefined || !(this.#isFinal(to) || (agent.isLong && to === "running"))) return;
    agent.attempts += 1;
    if (agent.attempts < this.#replicas) return;
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#kill();
  }
}
