interface Task {
  /** Largest number of tasks that may run at once as long as this one does. */
  readonly limit: number;
  readonly start: () => void;
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
  async use<T>(limit: number, work: () => Promise<T>): Promise<T> {
    let task: Task | undefined;
    await new Promise<void>((resolve) => {
      task = { limit, start: resolve };
      this.#waiting.push(task);
      this.#startNext();
    });
    try {
      return await work();
    } finally {
      if (task !== undefined) this.#running.delete(task);
      this.#startNext();
    }
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
