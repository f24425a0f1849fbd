interface Task {
  /** Largest number of tasks that may run at once as long as this one does. */
  readonly limit: number;
  readonly start: () => void;
}

/** The place of a running task. */
export interface Place {
  /** Waits for a promise. Meanwhile another task may have the place. */
  leaveFor<T>(promise: Promise<T>): Promise<T>;
}

/** Limits how many tasks run at once; further ones wait in order. */
export class Slots {
  readonly #count: number;
  readonly #running = new Set<Task>();
  readonly #waiting: Task[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  /** Runs a task. @param limit how many tasks may run at once as long as it does */
  async use<T>(limit: number, work: (place: Place) => Promise<T>): Promise<T> {
    let task = await this.#enter(limit);
    const leaveFor = async <R>(promise: Promise<R>): Promise<R> => {
      this.#leave(task);
      await promise.catch(() => {}); // thrown below
      task = await this.#enter(limit);
      return promise;
    };
    try {
      return await work({ leaveFor });
    } finally {
      this.#leave(task);
    }
  }

  async #enter(limit: number): Promise<Task> {
    return new Promise((resolve) => {
      const task: Task = { limit, start: () => resolve(task) };
      this.#waiting.push(task);
      this.#startNext();
    });
  }

  #leave(task: Task): void {
    this.#running.delete(task);
    this.#startNext();
  }

  #startNext(): void {
    for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
      const limits = [...this.#running].map(({ limit }) => limit);
      if (this.#running.size >= Math.min(this.#count, next.limit, ...limits)) return;
      this.#waiting.shift();
      this.#running.add(next);
      next.start();
    }
  }
}
