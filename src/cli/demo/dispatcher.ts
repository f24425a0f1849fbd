import type { Call } from "./messages.js";
import type { Task } from "./plan.js";

/** How many agents of each replica live at once: enough to keep two cores busy. More would only make calls wait. */
const AT_ONCE_PER_REPLICA = 4;

/** Hands out the tasks, a few at a time, and knows when all of them are over. */
export class Dispatcher {
  /** Settles when every replica has heard of the end of every agent and tried to record it. */
  readonly finished: Promise<void>;
  readonly #tasks: readonly Task[];
  readonly #replicas: readonly string[];
  readonly #issue: (task: Task, owner: string) => void;
  readonly #isFinal: (state: string) => boolean;
  /** Of each agent that is not over: how many replicas have tried to record its end. */
  readonly #ends = new Map<string, number>();
  #issued = 0;
  #finish: () => void = () => {};

  /**
   * @param tasks one for each agent that is to live; at least one
   * @param isFinal tells the end states of the machine
   * @param issue told of each task when its time has come, and of the replica that is to start it
   */
  constructor(
    tasks: readonly Task[],
    replicas: readonly string[],
    isFinal: (state: string) => boolean,
    issue: (task: Task, owner: string) => void,
  ) {
    this.#tasks = tasks;
    this.#replicas = replicas;
    this.#isFinal = isFinal;
    this.#issue = issue;
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** Hands out the first tasks. */
  start(): void {
    for (let n = 0; n < AT_ONCE_PER_REPLICA * this.#replicas.length; n++) this.#next();
  }

  /** Takes note of a replica's call; where it was the last one for an agent, the next agent's time has come. */
  heard({ id, to }: Call): void {
    if (!this.#isFinal(to)) return;
    const ends = (this.#ends.get(id) ?? 0) + 1;
    this.#ends.set(id, ends);
    if (ends < this.#replicas.length) return;
    this.#ends.delete(id);
    this.#next();
    if (this.#issued === this.#tasks.length && this.#ends.size === 0) this.#finish();
  }

  #next(): void {
    const task = this.#tasks[this.#issued];
    const owner = this.#replicas[this.#issued % this.#replicas.length];
    if (task === undefined || owner === undefined) return;
    this.#issued += 1;
    this.#ends.set(task.id, 0);
    this.#issue(task, owner);
  }
}
