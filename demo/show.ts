import { frame, standingLine } from "./frame.js";
import { Screen } from "./screen.js";
import type { Tally } from "./tally.js";

const LINE_INTERVAL_MS = 1000;

/** Adds colours to texts, or returns them unchanged. */
export type Paint = Readonly<
  Record<"bold" | "dim" | "red" | "green" | "yellow" | "cyan", (text: string) => string>
>;

/** The terminal, or whatever takes the output. */
export interface Stage {
  /** True if the output is a terminal on which lines can be redrawn. */
  readonly isLive: boolean;
  readonly columns: number;
  readonly rows: number;
  readonly paint: Paint;
  /** Writes to stdout. */
  write(text: string): Promise<void>;
  /** Writes a line to stderr. */
  note(line: string): void;
}

/** The state of a race. */
export interface Standing {
  readonly agents: number;
  readonly elapsedMs: number;
  /** Number of agents by state. */
  readonly states: Readonly<Record<string, number>>;
  readonly tally: Tally;
  /** The replica that was killed; undefined while it lives. */
  readonly killed: string | undefined;
}

/** Shows the race while it runs. */
export interface Show {
  /** Shows a line that stays. */
  line(text: string): void;
  /** Shows a warning. */
  warn(text: string): void;
  /** Shows the state of the race. Called at the start, a few times a second and at the end. */
  progress(standing: Standing): void;
  /** Shows the last state, and nothing after that. It may be called again. */
  end(): void;
}

/** Creates a show for programs: they read only the report at the end. */
export function silentShow(stage: Stage): Show {
  return { line() {}, warn: (line) => stage.note(line), progress() {}, end() {} };
}

/** Creates a show that redraws a table in place. Lines that stay appear above it. */
export function liveShow(stage: Stage): Show {
  const screen = new Screen(stage);
  let last: string[] | undefined;
  return {
    line: (text) => {
      screen.erase();
      void stage.write(`${text}\n`);
      if (last !== undefined) screen.draw(last);
    },
    warn: (line) => stage.note(line),
    progress: (standing) => {
      last = frame(standing, stage.paint);
      screen.draw(last);
    },
    end: () => {
      last = undefined;
      screen.close();
    },
  };
}

/** Creates a show of plain lines: one for each event, one every second and one at the end. */
export function plainShow(stage: Stage): Show {
  let last: Standing | undefined;
  let shownMs = 0;
  const show = (standing: Standing): void => {
    void stage.write(`${standingLine(standing)}\n`);
    shownMs = standing.elapsedMs;
    last = undefined;
  };
  return {
    line: (text) => void stage.write(`${text}\n`),
    warn: (line) => stage.note(line),
    progress: (standing) => {
      last = standing;
      if (standing.elapsedMs - shownMs >= LINE_INTERVAL_MS) show(standing);
    },
    end: () => last !== undefined && show(last),
  };
}
