import type { Call } from "./messages.js";
import type { Task } from "./plan.js";

/** How many agents of each replica live at once: enough to keep two cores busy. More would only make calls wait. */
const AT_ONCE_PER_REPLICA = 4;

/** Hands out the tasks, a few at a time, and knows when all of them are over. */
export class Dispatcher {
  /** Settles when every living replica has tried to record the end of every agent, and all orphans' leases are over. */
  readonly finished: Promise<void>;
  readonly #tasks: readonly Task[];
  readonly #replicas: Set<string>;
  readonly #issue: (task: Task) => void;
  readonly #isFinal: (state: string) => boolean;
  /** Of each agent that is not over: the replicas that have yet to try to record its end. */
  readonly #awaited = new Map<string, Set<string>>();
  readonly #orphans = new Set<string>();
  readonly #ranOut = new Set<string>();
  #issued = 0;
  #finish: () => void = () => {};

  /**
   * @param tasks one for each agent that is to live; at least one
   * @param isFinal tells the end states of the machine
   * @param issue told of each task when its time has come
   */
  constructor(
    tasks: readonly Task[],
    replicas: readonly string[],
    isFinal: (state: string) => boolean,
    issue: (task: Task) => void,
  ) {
    this.#tasks = tasks;
    this.#replicas = new Set(replicas);
    this.#isFinal = isFinal;
    this.#issue = issue;
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** Hands out the first tasks. */
  start(): void {
    for (let n = 0; n < AT_ONCE_PER_REPLICA * this.#replicas.size; n++) this.#next();
  }

  /** Takes note of a replica's call; where it was the last one for an agent, the next agent's time has come. */
  heard(replica: string, { id, to }: Call): void {
    if (this.#isFinal(to)) this.#tried(id, replica);
  }

  /** Nobody waits for this replica any more, and for its orphans only until their leases have run out. */
  lost(replica: string, orphans: Iterable<string>): void {
    this.#replicas.delete(replica);
    for (const id of orphans) {
      this.#awaited.delete(id);
      if (!this.#ranOut.has(id)) this.#orphans.add(id);
    }
    for (const id of [...this.#awaited.keys()]) this.#tried(id, replica);
    this.#finishAtEnd();
  }

  /** Takes note that an agent's lease was recorded as run out. */
  ranOut(id: string): void {
    this.#ranOut.add(id);
    if (this.#orphans.delete(id)) this.#finishAtEnd();
  }

  #tried(id: string, replica: string): void {
    const awaited = this.#awaited.get(id);
    awaited?.delete(replica);
    if (awaited?.size !== 0) return;
    this.#awaited.delete(id);
    this.#next();
    this.#finishAtEnd();
  }

  #finishAtEnd(): void {
    const isOver = this.#awaited.size + this.#orphans.size === 0;
    if (isOver && this.#issued === this.#tasks.length) this.#finish();
  }

  #next(): void {
    const task = this.#tasks[this.#issued];
    if (task === undefined) return;
    this.#issued += 1;
    this.#awaited.set(task.id, new Set(this.#replicas));
    this.#issue(task);
    if (task.isLong) this.#next(); // it only waits: another one works meanwhile
  }
}
