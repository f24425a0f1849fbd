import type { Paint, Standing } from "./show.js";
import { rejectedIn } from "./tally.js";

const BAR = 30;
const COLOURS: Readonly<Record<string, "cyan" | "green" | "red" | "yellow">> = {
  running: "cyan",
  completed: "green",
  failed: "red",
  killed: "yellow",
};

/** Renders the state of the race as the lines of a table. */
export function frame(standing: Standing, paint: Paint): string[] {
  const { agents, states, tally, killed } = standing;
  const known = Object.values(states).reduce((sum, n) => sum + n, 0);
  return [
    `${seconds(standing)}   ${tally.won} changes accepted, ${rejected(standing)} rejected`,
    "",
    paint.dim(`STATE        AGENTS   of ${agents}, ${agents - known} not created yet`),
    ...Object.entries(states).map(([state, n]) => {
      const bar = "█".repeat(Math.ceil((n / agents) * BAR));
      const colour = COLOURS[state];
      return `${state.padEnd(10)} ${right(n, 8)}   ${colour === undefined ? bar : paint[colour](bar)}`;
    }),
    "",
    paint.dim("REPLICA         WON  REJECTED   by outcome"),
    ...[...tally.replicas].map(([name, own]) => {
      const outcomes = Object.entries(own.rejected)
        .sort()
        .map(([outcome, n]) => `${outcome} ${n}`);
      if (own.leases > 0) outcomes.push(`leases recorded ${own.leases}`);
      const mark = name === killed ? `  ${paint.red("KILLED")}` : "";
      return `${name.padEnd(10)} ${right(own.won, 8)} ${right(rejectedIn(own), 9)}   ${paint.dim(outcomes.join("  "))}${mark}`;
    }),
  ];
}

/** Renders the state of the race in one line. */
export function standingLine(standing: Standing): string {
  const { states, tally, killed } = standing;
  const parts = [
    seconds(standing).padStart(6),
    Object.entries(states)
      .map(([state, n]) => `${state} ${n}`)
      .join(" "),
    `won ${[...tally.replicas.values()].map(({ won }) => won).join("+")}`,
    `rejected ${[...tally.replicas.values()].map(rejectedIn).join("+")}`,
    ...(killed === undefined ? [] : [`${killed} killed`]),
  ];
  return parts.join("  ");
}

function rejected({ tally }: Standing): number {
  return [...tally.replicas.values()].map(rejectedIn).reduce((sum, n) => sum + n, 0);
}

function seconds({ elapsedMs }: Standing): string {
  return `${(elapsedMs / 1000).toFixed(1)} s`;
}

function right(n: number, width: number): string {
  return String(n).padStart(width);
}
