import type { Call } from "./messages.js";
import type { Task } from "./plan.js";

/**
 * Knows when the replica that is to die may: once those of its agents that go on are running, and the others are over.
 * An agent that has yet to run has no lease, and nobody would ever tell its end.
 */
export class Doom {
  /** Its agents that are not so far yet, and how many replicas have tried to record that they are. */
  readonly #awaited: Map<string, { readonly isLong: boolean; tries: number }>;
  readonly #replicas: number;
  readonly #isFinal: (state: string) => boolean;
  readonly #come: () => void;

  /**
   * @param tasks those of the replica that is to die; at least one
   * @param replicas how many there are
   * @param come told when its time has come
   */
  constructor(
    tasks: readonly Task[],
    replicas: number,
    isFinal: (state: string) => boolean,
    come: () => void,
  ) {
    this.#awaited = new Map(tasks.map(({ id, isLong }) => [id, { isLong, tries: 0 }]));
    this.#replicas = replicas;
    this.#isFinal = isFinal;
    this.#come = come;
  }

  /** Takes note of a call. */
  heard({ id, to }: Call): void {
    const agent = this.#awaited.get(id);
    if (agent === undefined || !(this.#isFinal(to) || (agent.isLong && to === "running"))) return;
    agent.tries += 1;
    if (agent.tries < this.#replicas) return;
    this.#awaited.delete(id);
    if (this.#awaited.size === 0) this.#come();
  }
}
