/** The time was up before there was an answer. What was sent may still be executed. */
export class TimeUpError extends Error {
  override readonly name = "TimeUpError";

  constructor() {
    super("no answer in time");
  }
}

/** The end of the time that a call may take, by this process's monotonic clock. */
export class Deadline {
  /** As `performance.now()` tells it, in ms. */
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
   * What a promise gives, as long as there is time.
   *
   * @throws TimeUpError when the time is up first; what the promise gives then is dropped.
   */
  async race<T>(promise: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const end = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new TimeUpError()), Math.ceil(this.remainingMs));
    });
    try {
      return await Promise.race([promise, end]);
    } finally {
      clearTimeout(timer);
    }
  }
}
