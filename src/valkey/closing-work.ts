/** Work that `close` does before it closes the connections. */
export class ClosingWork {
  readonly #works = new Set<() => Promise<void>>();
  #hasBegun = false;

  /** Adds work; runs it at once if `run` has begun. @returns a function that removes it */
  add(work: () => Promise<void>): () => void {
    if (this.#hasBegun) void work().catch(() => {});
    else this.#works.add(work);
    return () => void this.#works.delete(work);
  }

  /** Runs all work at once. A failure has no effect. */
  async run(): Promise<void> {
    this.#hasBegun = true;
    if (this.#works.size > 0) await Promise.allSettled([...this.#works].map((work) => work()));
  }
}
