/** Shows how far a run is: one line that changes on a terminal, else a line now and then. Both on stderr. */
export class ProgressLine {
  readonly #isTerminal = process.stderr.isTTY === true;
  readonly #everyMs: number;
  readonly #begun = performance.now();
  #last = Number.NEGATIVE_INFINITY;
  #shown = "";

  constructor() {
    this.#everyMs = this.#isTerminal ? 100 : 10_000;
  }

  /** @param text made only where it is shown */
  show(text: () => string): void {
    const now = performance.now();
    if (now - this.#last < this.#everyMs) return;
    this.#last = now;
    const line = `${clock(now - this.#begun)} ${text()}`;
    if (!this.#isTerminal) {
      process.stderr.write(`${line}\n`);
      return;
    }
    this.#shown = line.slice(0, (process.stderr.columns ?? 80) - 1);
    process.stderr.write(`\r\u001b[K${this.#shown}`);
  }

  /** A line that stays. */
  log(line: string): void {
    if (!this.#isTerminal) process.stderr.write(`${clock(performance.now() - this.#begun)} ${line}\n`);
    else process.stderr.write(`\r\u001b[K${line}\n${this.#shown}`);
  }

  end(): void {
    if (this.#isTerminal) process.stderr.write("\r\u001b[K");
  }
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
