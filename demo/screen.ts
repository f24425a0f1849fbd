import { stripVTControlCharacters } from "node:util";

/** What a screen writes on. */
export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  write(text: string): void;
}

const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
const CLEAR_TO_END = "\u001b[J";

/** A few lines at the end of a terminal that are redrawn in place. */
export class Screen {
  readonly #terminal: Terminal;
  readonly #showCursor = (): void => this.#terminal.write(SHOW_CURSOR);
  #height = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Puts these lines in the place of those drawn before. What does not fit is left out: a wrapped line can't be redrawn. */
  draw(lines: readonly string[]): void {
    const fitting = lines.slice(0, this.#terminal.rows - 1).map((line) => cut(line, this.#terminal.columns));
    if (this.#height === 0) process.once("exit", this.#showCursor);
    const up = this.#height === 0 ? HIDE_CURSOR : `\u001b[${this.#height}A\r`;
    this.#terminal.write(`${up}${CLEAR_TO_END}${fitting.join("\n")}\n`);
    this.#height = fitting.length;
  }

  /** Leaves what was drawn last where it is, and gives the cursor back. */
  close(): void {
    if (this.#height === 0) return;
    process.off("exit", this.#showCursor);
    this.#showCursor();
    this.#height = 0;
  }
}

/** A line that fits. One that is too long loses its colours as well as its end. */
function cut(line: string, columns: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length <= columns ? line : `${plain.slice(0, columns - 1)}…`;
}
