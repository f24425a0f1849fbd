import { shownText, textWidth } from "./terminal-text.js";

/** One column of a table. */
export interface Column<R> {
  readonly title: string;
  /** Returns the text of a cell; undefined and "" are shown as `<none>`. */
  readonly value: (row: R) => string | undefined;
  /** Colours the text of a cell. */
  readonly paint?: (text: string, row: R) => string;
  /** Width of the column if the rows are not known in advance. */
  readonly width?: number;
}

/** Number of rows that decide the widths. */
const SAMPLE = 200;
const GAP = "   ";

/**
 * Formats a table as its rows arrive: padded columns with a header, so that awk can read them. The first rows are
 * buffered until the widths are known.
 */
export class TableLines<R> {
  readonly #columns: readonly Column<R>[];
  readonly #buffered: R[] = [];
  #widths: number[] | undefined;

  /** @param isLive rows arrive over time: none is buffered, and columns have their own widths */
  constructor(columns: readonly Column<R>[], isLive = false) {
    this.#columns = columns;
    if (isLive) this.#widths = columns.map(({ title, width = 0 }) => Math.max(title.length, width));
  }

  /** Returns the header if it does not depend on the rows. */
  start(): string {
    return this.#widths === undefined ? "" : this.#header(this.#widths);
  }

  /** Adds a row and returns the lines that are ready. */
  add(row: R): string {
    if (this.#widths !== undefined) return this.#line(row, this.#widths);
    this.#buffered.push(row);
    return this.#buffered.length < SAMPLE ? "" : this.end();
  }

  /** Returns the buffered rows, with the header. */
  end(): string {
    if (this.#widths !== undefined) return "";
    const widths = this.#columns.map((column) =>
      Math.max(column.title.length, ...this.#buffered.map((row) => textWidth(cell(column, row)))),
    );
    this.#widths = widths;
    return this.#header(widths) + this.#buffered.map((row) => this.#line(row, widths)).join("");
  }

  #header(widths: readonly number[]): string {
    return rowLine(this.#columns.map(({ title }, at) => title.padEnd(widths[at] ?? 0)));
  }

  #line(row: R, widths: readonly number[]): string {
    return rowLine(
      this.#columns.map((column, at) => {
        const text = cell(column, row);
        const painted = column.paint?.(text, row) ?? text;
        return painted + " ".repeat(Math.max(0, (widths[at] ?? 0) - textWidth(text)));
      }),
    );
  }
}

/** Formats a whole table. */
export function tableText<R>(columns: readonly Column<R>[], rows: readonly R[]): string {
  const lines = new TableLines(columns);
  return rows.map((row) => lines.add(row)).join("") + lines.end();
}

function cell<R>(column: Column<R>, row: R): string {
  const value = column.value(row);
  return value === undefined || value === "" ? "<none>" : shownText(value);
}

function rowLine(cells: readonly string[]): string {
  return `${cells.join(GAP).trimEnd()}\n`;
}
