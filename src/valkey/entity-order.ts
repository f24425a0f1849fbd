import { ClosedError } from "../errors/closed-error.js";
import type { Deadline } from "./deadline.js";

/** A call that waits for the calls before it. */
interface Waiter {
  readonly deadline: Deadline;
  readonly start: () => void;
  readonly reject: (error: ClosedError) => void;
}

/**
 * Makes the changes of each entity take effect in the order of their calls, also if an attempt is lost and sent again: a
 * change is sent when the change before it has its answer.
 */
export class EntityOrder {
  /** Calls that wait, by the key of the entity. A key is present while a call of it runs. */
  readonly #waiters = new Map<string, Waiter[]>();
  #isClosed = false;

  /** Begins a call if no other call of the entity runs. Otherwise call {@link wait}. */
  tryEnter(key: string): boolean {
    if (this.#waiters.has(key)) return false;
    this.#waiters.set(key, []);
    return true;
  }

  /**
   * Waits until all earlier calls of the entity have ended. If the deadline comes first, the promise stays pending.
   *
   * @throws ClosedError if `close` comes first
   */
  wait(key: string, deadline: Deadline): Promise<void> {
    return new Promise((start, reject) => {
      if (this.#isClosed) reject(new ClosedError());
      else this.#waiters.get(key)?.push({ deadline, start, reject });
    });
  }

  /** Ends a call, and begins the next one of the entity. */
  leave(key: string): void {
    const waiters = this.#waiters.get(key);
    let next = waiters?.shift();
    while (next?.deadline.isOver === true) next = waiters?.shift(); // its caller has an error by now
    if (next === undefined) this.#waiters.delete(key);
    else next.start();
  }

  /** Rejects all calls that wait with ClosedError. */
  close(): void {
    this.#isClosed = true;
    for (const waiters of this.#waiters.values()) {
      for (const { reject } of waiters.splice(0)) reject(new ClosedError());
    }
  }
}
