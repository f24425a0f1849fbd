/** Exit status of an interrupted run. */
export const INTERRUPTED = 130;
/** Longest time that an interrupted run may need to end its processes. */
const GRACE_MS = 15_000;

/** Thrown if the run was interrupted. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/**
 * Listens for Ctrl-C and SIGTERM. All processes of a group receive them, and `npm run faults` forwards them once more.
 * Only the first one counts.
 */
export class Interruption {
  /** Rejects with {@link Interrupted} when a signal arrives. */
  readonly rejection: Promise<never>;
  #isInterrupted = false;

  constructor() {
    this.rejection = new Promise((_, reject) => {
      const onSignal = (signal: NodeJS.Signals): void => {
        if (this.#isInterrupted) return;
        this.#isInterrupted = true;
        // Pending work fails when its servers are gone. That is expected.
        process.on("unhandledRejection", () => {});
        setTimeout(() => process.exit(INTERRUPTED), GRACE_MS).unref();
        reject(new Interrupted(`interrupted by ${signal}: nothing was checked`));
      };
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal);
    });
    this.rejection.catch(() => {}); // handled by whoever awaits it
  }

  get isInterrupted(): boolean {
    return this.#isInterrupted;
  }

  /** Waits for `work`, or rejects if the interruption comes first. */
  async race<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.rejection]);
  }
}
