import { clearTimeout, performance, setImmediate, setTimeout } from "./real-time.js";

/** No reply arrived in time. The call may still be executed. */
export class TimeUpError extends Error {
  override readonly name: string = "TimeUpError";

  constructor(message = "no answer in time") {
    super(message);
  }
}

/** One for all, because thousands of calls can end at once, and stack traces take time. */
const TIME_UP = new TimeUpError();

/** The longest time that Node's timers take, in ms. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A promise that waits for its deadline. */
interface Waiter {
  readonly endsAt: number;
  /** The moment, by `performance.now()`, at which the timer is set for it. */
  readonly ringsAt: number;
  readonly end: () => void;
}

/** A waiter may end this share of its time later, so that many of them share one timer. */
const LATENESS = 0.01;

/** Waiters that end in one turn of the event loop, so that the replies to others are read in between. */
const BATCH = 100;

/** Ends waiters at their deadlines, with one timer for all: a timer for each call costs more than the call's own work. */
class Alarm {
  readonly #waiters = new Set<Waiter>();
  #timer: NodeJS.Timeout | undefined;
  #ringsAt = Number.POSITIVE_INFINITY;

  add(waiter: Waiter): void {
    // Without waiters the timer does not keep the process alive.
    if (this.#waiters.size === 0) this.#timer?.ref();
    this.#waiters.add(waiter);
    if (waiter.ringsAt < this.#ringsAt) this.#set(waiter.ringsAt);
  }

  delete(waiter: Waiter): void {
    this.#waiters.delete(waiter);
    if (this.#waiters.size === 0) this.#timer?.unref();
  }

  #set(at: number): void {
    clearTimeout(this.#timer);
    this.#ringsAt = at;
    const ms = Math.min(Math.max(0, Math.ceil(at - performance.now())), LONGEST_TIMER_MS);
    // Replies that arrived while this process was busy come first.
    this.#timer = setTimeout(() => setImmediate(() => this.#ring()), ms);
  }

  #ring(): void {
    clearTimeout(this.#timer); // one may have been set since the last batch
    this.#timer = undefined;
    this.#ringsAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    let ended = 0;
    for (const waiter of this.#waiters) {
      if (waiter.endsAt > now) next = Math.min(next, waiter.ringsAt);
      else if (ended === BATCH) return void setImmediate(() => this.#ring());
      else {
        ended += 1;
        this.#waiters.delete(waiter);
        waiter.end();
      }
    }
    if (next < this.#ringsAt) this.#set(next);
  }
}

const alarm = new Alarm();

/** End of a call's timeout, by the monotonic clock of this process. */
export class Deadline {
  /** Value of `performance.now()`, in ms. */
  readonly endsAt: number;

  constructor(endsAt: number) {
    this.endsAt = endsAt;
  }

  static in(ms: number): Deadline {
    return new Deadline(performance.now() + ms);
  }

  get remainingMs(): number {
    return Math.max(0, this.endsAt - performance.now());
  }

  get isOver(): boolean {
    return performance.now() >= this.endsAt;
  }

  /**
   * Waits for a promise until the deadline.
   *
   * @throws TimeUpError if the deadline comes first; the promise's result is then dropped
   */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const { endsAt } = this;
      const ringsAt = endsAt + LATENESS * this.remainingMs;
      const waiter = { endsAt, ringsAt, end: () => reject(TIME_UP) };
      alarm.add(waiter);
      promise.then(
        (value) => {
          alarm.delete(waiter);
          resolve(value);
        },
        (error: unknown) => {
          alarm.delete(waiter);
          reject(error);
        },
      );
    });
  }
}
