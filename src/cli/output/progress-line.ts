/** What a progress line is written to. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const PAUSE_MS = 100;
const CLEAR_LINE = "\r\u001b[K";

/** One line on a terminal that says how far something is; nothing where there is no terminal. */
export class ProgressLine {
  readonly #stream: ProgressStream;
  #shownAt = Number.NEGATIVE_INFINITY;
  #isShown = false;

  constructor(stream: ProgressStream) {
    this.#stream = stream;
  }

  /** Puts this text in the place of the one before, a few times a second at most. */
  show(text: string): void {
    const now = performance.now();
    if (this.#stream.isTTY !== true || now - this.#shownAt < PAUSE_MS) return;
    this.#shownAt = now;
    this.#isShown = true;
    // A terminal that does not know its width says 0.
    const columns = this.#stream.columns || 80;
    this.#stream.write(`${CLEAR_LINE}${text.slice(0, columns - 1)}`);
  }

  /** Takes the line away. */
  clear(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    this.#stream.write(CLEAR_LINE);
  }
}
