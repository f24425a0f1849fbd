/** The stream of a progress line. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const PAUSE_MS = 100;
const CLEAR_LINE = "\r\u001b[K";

/** Shows progress in one line of a terminal; writes nothing if the stream is not a terminal. */
export class ProgressLine {
  readonly #stream: ProgressStream;
  #shownAt = Number.NEGATIVE_INFINITY;
  #isShown = false;

  constructor(stream: ProgressStream) {
    this.#stream = stream;
  }

  /** Replaces the line, at most ten times per second. */
  show(text: string): void {
    const now = performance.now();
    if (this.#stream.isTTY !== true || now - this.#shownAt < PAUSE_MS) return;
    this.#shownAt = now;
    this.#isShown = true;
    // A terminal without a known width reports 0.
    const columns = this.#stream.columns || 80;
    this.#stream.write(`${CLEAR_LINE}${text.slice(0, columns - 1)}`);
  }

  /** Removes the line. */
  clear(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    this.#stream.write(CLEAR_LINE);
  }
}
