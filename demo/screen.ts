import { stripVTControlCharacters } from "node:util";

/** The output of a screen. */
export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  write(text: string): unknown;
}

const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
const CLEAR_TO_END = "\u001b[J";

/** Redraws a few lines at the end of a terminal in place. */
export class Screen {
  readonly #terminal: Terminal;
  readonly #showCursor = (): void => void this.#terminal.write(SHOW_CURSOR);
  #height = 0;
  #isCursorHidden = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Replaces the lines drawn before. Omits what does not fit, because a wrapped line cannot be redrawn. */
  draw(lines: readonly string[]): void {
    const fitting = lines.slice(0, this.#terminal.rows - 1).map((line) => cut(line, this.#terminal.columns));
    if (!this.#isCursorHidden) process.once("exit", this.#showCursor);
    const up = this.#height === 0 ? "" : `\u001b[${this.#height}A\r`;
    const start = this.#isCursorHidden ? up : HIDE_CURSOR + up;
    this.#isCursorHidden = true;
    void this.#terminal.write(`${start}${CLEAR_TO_END}${fitting.join("\n")}\n`);
    this.#height = fitting.length;
  }

  /** Removes the lines drawn before, so that other text can follow. */
  erase(): void {
    if (this.#height === 0) return;
    void this.#terminal.write(`\u001b[${this.#height}A\r${CLEAR_TO_END}`);
    this.#height = 0;
  }

  /** Keeps the lines drawn last, and shows the cursor again. */
  close(): void {
    if (!this.#isCursorHidden) return;
    process.off("exit", this.#showCursor);
    this.#showCursor();
    this.#isCursorHidden = false;
    this.#height = 0;
  }
}

/** Cuts a line to the width. A line that is too long loses its colours as well as its end. */
function cut(line: string, columns: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length <= columns ? line : `${plain.slice(0, columns - 1)}…`;
}
