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
  readonly deadline: Deadline;
  readonly reject: (error: TimeUpError) => void;
  /** The neighbours in the list of waiters, of which the oldest is the first. */
  before: Waiter | undefined;
  after: Waiter | undefined;
}

/** A call may end this share of its time later. */
const LATENESS = 0.01;

/** Waiters that end in one turn of the event loop, so that the replies to others are read in between. */
const BATCH = 100;

/** Ends waiters at their deadlines, with one timer for all: a timer for each call costs more than the call's own work. */
class Alarm {
  // A linked list: a Set whose content changes all the time leaves more work to the garbage collector.
  #first: Waiter | undefined;
  #last: Waiter | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ringsAt = Number.POSITIVE_INFINITY;

  add(waiter: Waiter): void {
    // Without waiters the timer does not keep the process alive.
    if (this.#last === undefined) {
      this.#timer?.ref();
      this.#first = waiter;
    } else {
      this.#last.after = waiter;
      waiter.before = this.#last;
    }
    this.#last = waiter;
    const { ringsAt } = waiter.deadline;
    if (ringsAt < this.#ringsAt) this.#set(ringsAt);
  }

  delete(waiter: Waiter): void {
    const { before, after } = waiter;
    if (before === undefined && this.#first !== waiter) return; // it was ended
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    waiter.before = undefined;
    waiter.after = undefined;
    if (this.#first === undefined) this.#timer?.unref();
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
    let following: Waiter | undefined;
    for (let waiter = this.#first; waiter !== undefined; waiter = following) {
      following = waiter.after;
      const { endsAt, ringsAt } = waiter.deadline;
      if (endsAt > now) next = Math.min(next, ringsAt);
      else if (ended === BATCH) return void setImmediate(() => this.#ring());
      else {
        ended += 1;
        this.delete(waiter);
        waiter.reject(TIME_UP);
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
  /** Value of `performance.now()` at which the timer is set for it: a little later, so that many share one timer. */
  readonly ringsAt: number;

  constructor(startsAt: number, ms: number) {
    this.endsAt = startsAt + ms;
    this.ringsAt = this.endsAt + LATENESS * ms;
  }

  static in(ms: number): Deadline {
    return new Deadline(performance.now(), ms);
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
      const waiter = { deadline: this, reject, before: undefined, after: undefined };
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
