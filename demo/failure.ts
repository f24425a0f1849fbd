/** The race could not be run to its end: a replica died, the server ended, or nothing moved any more. */
export class DemoFailure extends Error {
  override readonly name = "DemoFailure";
  readonly code = "DEMO";
}

/** The first trouble that anybody meets; waiting for the race to go on gives way to it. */
export class Trouble {
  readonly #first: Promise<never>;
  #reject: (cause: unknown) => void = () => {};

  constructor() {
    this.#first = new Promise<never>((_, reject) => {
      this.#reject = reject;
    });
    this.#first.catch(() => {}); // it may come when nobody waits any more
  }

  /** Reports trouble; only the first report counts. */
  meet(cause: unknown): void {
    this.#reject(cause);
  }

  /** What `work` comes to, unless trouble comes first. */
  orElse<T>(work: Promise<T>): Promise<T> {
    return Promise.race([this.#first, work]);
  }
}
