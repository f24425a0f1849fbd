
import { frame, standingLine } from "./frame.js";
import type { Standing, Watcher } from "./race.js";
import type { Report } from "./report.js";
import { Screen } from "./screen.js";

const LINE_EVERY_MS = 1000;
const FAULTS_SHOWN = 5;

/** Shows the race while it is run. */
export interface Show extends Watcher {
  /** Shows how it stood at last, and nothing after that. May be called again. */
  end(): void;
}

/** For programs: nothing but the report at the end. */
export function noShow(context: CliContext): Show {
  return { phase() {}, warn: (line) => context.note(line), progress() {}, end() {} };
}

/** A table that is redrawn in place. */
export function liveShow(context: CliContext, rows: number): Show {
  const screen = new Screen({ columns: context.columns, rows, write: (text) => void context.write(text) });
  let isOver = false;
  return {
    phase: (line) => void context.write(`${context.paint.dim(line)}\n`),
    warn: (line) => context.note(line),
    progress: (standing) => {
      if (!isOver) screen.draw(frame(standing, context.paint));
    },
    end: () => {
      isOver = true;
      screen.close();
    },
  };
}

/** Plain lines: one for each phase, one every second and one at the end. */
export function plainShow(context: CliContext): Show {
  let last: Standing | undefined;
  let shown = 0;
  const show = (standing: Standing): void => {
    void context.write(`${standingLine(standing)}\n`);
    shown = standing.elapsedMs;
    last = undefined;
  };
  return {
    phase: (line) => void context.write(`${line}\n`),
    warn: (line) => context.note(line),
    progress: (standing) => {
      last = standing;
      if (standing.elapsedMs - shown >= LINE_EVERY_MS) show(standing);
    },
    end: () => last !== undefined && show(last),
  };
}

/** The verdict, line by line. */
export function verdictText(report: Report, { paint }: CliContext): string {
  const { bold, dim, green, red } = paint;
  const lines = report.checks.flatMap(({ ok, text, faults }) => {
    if (ok) return [`${green("✓")} ${text}`];
    const shown = faults.slice(0, FAULTS_SHOWN).map((fault) => dim(`    ${fault}`));
    const more = faults.length - shown.length;
    return [`${red("✗")} ${text}: NO`, ...shown, ...(more > 0 ? [dim(`    and ${more} more`)] : [])];
  });
  const broken = report.checks.filter(({ ok }) => !ok).length;
  const verdict = report.ok
    ? green(bold("All of it holds."))
    : red(bold(`${broken} of ${report.checks.length} checks failed.`));
  return `\n${lines.join("\n")}\n\n${verdict}\n`;
}
