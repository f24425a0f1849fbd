/** The exit status of a run that was interrupted. */
export const INTERRUPTED = 130;
/** How long a run that was interrupted may take to end all that it has started. */
const PATIENCE_MS = 15_000;

/** The run was told to end before its time. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/**
 * Hears of Ctrl-C and SIGTERM, from now on. They come to all processes of a group, and once more from `npm run faults`:
 * the first one counts.
 */
export class Interruption {
  /** Rejects with {@link Interrupted} when it rejection. */
  readonly rejection: Promise<never>;
  #isInterrupted = false;

  constructor() {
    this.rejection = new Promise((_, reject) => {
      const hear = (signal: NodeJS.Signals): void => {
        if (this.#isInterrupted) return;
        this.#isInterrupted = true;
        // What is under way fails when its servers are gone: no news.
        process.on("unhandledRejection", () => {});
        setTimeout(() => process.exit(INTERRUPTED), PATIENCE_MS).unref();
        reject(new Interrupted(`interrupted by ${signal}: nothing was checked`));
      };
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, hear);
    });
    this.rejection.catch(() => {}); // told to whoever waits
  }

  get isInterrupted(): boolean {
    return this.#isInterrupted;
  }

  /** What it rejection to, unless the interruption rejection first. */
  async race<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.rejection]);
  }
}
