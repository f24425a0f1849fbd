import type { Call } from "./messages.js";
import type { Task } from "./plan.js";

/** Agents of each replica that live at once: enough to keep two cores busy. More would only make calls wait. */
const AGENTS_PER_REPLICA = 4;

/** Hands out the tasks, a few at a time, and reports when all of them are finished. */
export class Dispatcher {
  /** Settles when every living replica has attempted to record the end of every agent, and all orphans' leases expired. */
  readonly finished: Promise<void>;
  readonly #tasks: readonly Task[];
  readonly #replicas: Set<string>;
  readonly #issue: (task: Task) => void;
  readonly #isFinal: (state: string) => boolean;
  /** Replicas that have yet to attempt to record the end, by agent. */
  readonly #pending = new Map<string, Set<string>>();
  readonly #orphans = new Set<string>();
  readonly #expired = new Set<string>();
  #issued = 0;
  #finish: () => void = () => {};

  /**
   * @param tasks one for each agent that is to live; at least one
   * @param isFinal returns true for the end states of the machine
   * @param issue called with each task when its time has come
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
    for (let n = 0; n < AGENTS_PER_REPLICA * this.#replicas.size; n++) this.#next();
  }

  /** Notes that a replica recorded the end of an agent, or attempted to. After the last replica the next agent starts. */
  noteEnd(replica: string, id: string): void {
    const pending = this.#pending.get(id);
    pending?.delete(replica);
    if (pending?.size !== 0) return;
    this.#pending.delete(id);
    this.#next();
    this.#finishAtEnd();
  }

  /** Notes a replica's call. */
  noteCall(replica: string, { id, to }: Call): void {
    if (this.#isFinal(to)) this.noteEnd(replica, id);
  }

  /** Stops waiting for a killed replica, and waits for its orphans only until their leases have expired. */
  removeReplica(replica: string, orphans: Iterable<string>): void {
    this.#replicas.delete(replica);
    for (const id of orphans) {
      this.#pending.delete(id);
      if (!this.#expired.has(id)) this.#orphans.add(id);
    }
    for (const id of [...this.#pending.keys()]) this.noteEnd(replica, id);
    this.#finishAtEnd();
  }

  /** Notes that the expiry of an agent's lease was recorded. */
  noteExpiry(id: string): void {
    this.#expired.add(id);
    if (this.#orphans.delete(id)) this.#finishAtEnd();
  }

  #finishAtEnd(): void {
    const isIdle = this.#pending.size + this.#orphans.size === 0;
    if (isIdle && this.#issued === this.#tasks.length) this.#finish();
  }

  #next(): void {
    const task = this.#tasks[this.#issued];
    if (task === undefined) return;
    this.#issued += 1;
    this.#pending.set(task.id, new Set(this.#replicas));
    this.#issue(task);
    if (task.isLong) this.#next(); // it only waits: another one works meanwhile
  }
}
