/** No reply arrived in time. The call may still be executed. */
export class TimeUpError extends Error {
  override readonly name = "TimeUpError";

  constructor() {
    super("no answer in time");
  }
}

/** The longest time that Node's timers take, in ms. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

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
  async race<T>(promise: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const end = new Promise<never>((_, reject) => {
      const wait = (): void => {
        const end = (): void => (this.isOver ? reject(new TimeUpError()) : wait());
        timer = setTimeout(end, Math.min(Math.ceil(this.remainingMs), LONGEST_TIMER_MS));
      };
      wait();
    });
    try {
      return await Promise.race([promise, end]);
    } finally {
      clearTimeout(timer);
    }
  }
}
