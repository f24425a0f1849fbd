/** The race could not be completed: a replica crashed, the server ended, or nothing happened any more. */
export class DemoFailure extends Error {
  override readonly name = "DemoFailure";
  readonly code = "DEMO";
}

/** Keeps the first failure that anyone reports, and interrupts the race with it. */
export class FirstFailure {
  readonly #first: Promise<never>;
  #reject: (cause: unknown) => void = () => {};

  constructor() {
    this.#first = new Promise<never>((_, reject) => {
      this.#reject = reject;
    });
    this.#first.catch(() => {}); // it may come when nobody waits any more
  }

  /** Reports a failure. Only the first report counts. */
  report(cause: unknown): void {
    this.#reject(cause);
  }

  /** Returns the result of `work`, or throws the failure if that comes first. */
  orElse<T>(work: Promise<T>): Promise<T> {
    return Promise.race([this.#first, work]);
  }
}
