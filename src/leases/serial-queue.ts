import { AsyncLocalStorage } from "node:async_hooks";

interface Callback {
  readonly queue: SerialQueue;
  hasEnded: boolean;
}

/** Callbacks that the current call runs in, of all queues, the outermost first. */
const callbacks = new AsyncLocalStorage<readonly Callback[]>();

/** Runs the tasks of one hold in sequence, and detects calls that would wait for their own caller. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs a task after all tasks before it, whether those succeeded or failed. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task, task);
    this.#last = result.catch(() => {});
    return result;
  }

  /** Waits for all tasks so far. Never throws. */
  async drain(): Promise<void> {
    await this.#last;
  }

  /** Calls a user's callback as part of a task, so that calls made from it can be detected: see `isInCallback`. */
  async callBack<T>(callback: () => Promise<T>): Promise<T> {
    const entry: Callback = { queue: this, hasEnded: false };
    try {
      return await callbacks.run([...(callbacks.getStore() ?? []), entry], callback);
    } finally {
      entry.hasEnded = true; // work that the callback left running is no longer inside
    }
  }

  /** True if the caller runs inside a callback of this queue that has not ended. Waiting for the queue would deadlock. */
  get isInCallback(): boolean {
    return (callbacks.getStore() ?? []).some(({ queue, hasEnded }) => queue === this && !hasEnded);
  }
}
