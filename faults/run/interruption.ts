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
  /** Rejects with {@link Interrupted} when it comes. */
  readonly comes: Promise<never>;
  #hasCome = false;

  constructor() {
    this.comes = new Promise((_, reject) => {
      const hear = (signal: NodeJS.Signals): void => {
        if (this.#hasCome) return;
        this.#hasCome = true;
        // What is under way fails when its servers are gone: no news.
        process.on("unhandledRejection", () => {});
        setTimeout(() => process.exit(INTERRUPTED), PATIENCE_MS).unref();
        reject(new Interrupted(`interrupted by ${signal}: nothing was checked`));
      };
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, hear);
    });
    this.comes.catch(() => {}); // told to whoever waits
  }

  get hasCome(): boolean {
    return this.#hasCome;
  }

  /** What it comes to, unless the interruption comes first. */
  async unless<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.comes]);
  }
}
