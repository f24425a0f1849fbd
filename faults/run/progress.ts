/** Prints the progress of a run on stderr: one line that changes on a terminal, otherwise a line now and then. */
export class ProgressLine {
  readonly #isTerminal = process.stderr.isTTY === true;
  readonly #everyMs: number;
  readonly #begun = performance.now();
  #last = Number.NEGATIVE_INFINITY;
  #shown = "";

  constructor() {
    this.#everyMs = this.#isTerminal ? 100 : 10_000;
  }

  /** @param text is called only if the line is printed */
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

  /** Prints a line that stays. */
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
