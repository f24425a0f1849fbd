import { shownText, textWidth } from "./terminal-text.js";

/** One column of a table. */
export interface Column<R> {
  readonly title: string;
  /** What stands in a row; undefined and "" are shown as `<none>`. */
  readonly value: (row: R) => string | undefined;
  /** Colours what `value` gave. */
  readonly paint?: (text: string, row: R) => string;
  /** Columns to leave room for where the rows are not known beforehand. */
  readonly width?: number;
}

/** From so many rows the widths are taken; later rows keep to them as far as they fit. */
const SAMPLE = 200;
const GAP = "   ";

/**
 * Lines of a table as its rows come: padded columns with a header, nothing else, so that awk can read them. The first
 * rows are held back until the widths are known.
 */
export class TableLines<R> {
  readonly #columns: readonly Column<R>[];
  readonly #held: R[] = [];
  #widths: number[] | undefined;

  /** @param isLive rows come over time: none is held back, the columns' own widths count */
  constructor(columns: readonly Column<R>[], isLive = false) {
    this.#columns = columns;
    if (isLive) this.#widths = columns.map(({ title, width = 0 }) => Math.max(title.length, width));
  }

  /** The header, where it does not wait for rows. */
  start(): string {
    return this.#widths === undefined ? "" : this.#header(this.#widths);
  }

  /** Takes a row; gives the lines that are ready. */
  add(row: R): string {
    if (this.#widths !== undefined) return this.#line(row, this.#widths);
    this.#held.push(row);
    return this.#held.length < SAMPLE ? "" : this.end();
  }

  /** Gives what was held back, with the header. */
  end(): string {
    if (this.#widths !== undefined) return "";
    const widths = this.#columns.map((column) =>
      Math.max(column.title.length, ...this.#held.map((row) => textWidth(cell(column, row)))),
    );
    this.#widths = widths;
    return this.#header(widths) + this.#held.map((row) => this.#line(row, widths)).join("");
  }

  #header(widths: readonly number[]): string {
    return lineOf(this.#columns.map(({ title }, at) => title.padEnd(widths[at] ?? 0)));
  }

  #line(row: R, widths: readonly number[]): string {
    return lineOf(
      this.#columns.map((column, at) => {
        const text = cell(column, row);
        const painted = column.paint?.(text, row) ?? text;
        return painted + " ".repeat(Math.max(0, (widths[at] ?? 0) - textWidth(text)));
      }),
    );
  }
}

/** A whole table. */
export function tableText<R>(columns: readonly Column<R>[], rows: readonly R[]): string {
  const lines = new TableLines(columns);
  return rows.map((row) => lines.add(row)).join("") + lines.end();
}

function cell<R>(column: Column<R>, row: R): string {
  const value = column.value(row);
  return value === undefined || value === "" ? "<none>" : shownText(value);
}

function lineOf(cells: readonly string[]): string {
  return `${cells.join(GAP).trimEnd()}\n`;
}
