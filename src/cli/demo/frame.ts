import type { Paint } from "../output/paint.js";
import type { Standing } from "./race.js";
import { refusedIn } from "./tally.js";

const BAR = 30;
const COLOURS: Readonly<Record<string, "cyan" | "green" | "red" | "yellow">> = {
  running: "cyan",
  completed: "green",
  failed: "red",
  killed: "yellow",
};

/** How the race stands, as the lines of a table. */
export function frame(standing: Standing, paint: Paint): string[] {
  const { agents, server, states, tally, killed } = standing;
  const known = Object.values(states).reduce((sum, n) => sum + n, 0);
  const { p50, p99 } = tally.latency();
  return [
    `${paint.bold("latchkey demo")}  ${tally.replicas.size} replicas race over ${agents} agents on ${server}`,
    `${seconds(standing)}   ${tally.won} changes   ${changesPerSecond(standing)}/s   latency of calls p50 ${ms(p50)}  p99 ${ms(p99)}`,
    "",
    paint.dim(`STATE        AGENTS   of ${agents}, ${agents - known} still to come`),
    ...Object.entries(states).map(([state, n]) => {
      const bar = "█".repeat(Math.ceil((n / agents) * BAR));
      const colour = COLOURS[state];
      return `${state.padEnd(10)} ${right(n, 8)}   ${colour === undefined ? bar : paint[colour](bar)}`;
    }),
    "",
    paint.dim("REPLICA         WON  REFUSED   by outcome"),
    ...[...tally.replicas].map(([name, own]) => {
      const outcomes = Object.entries(own.refused)
        .sort()
        .map(([outcome, n]) => `${outcome} ${n}`);
      if (own.leases > 0) outcomes.push(`leases recorded ${own.leases}`);
      if (name === killed) outcomes.push("KILLED");
      return `${name.padEnd(10)} ${right(own.won, 8)} ${right(refusedIn(own), 8)}   ${paint.dim(outcomes.join("  "))}`;
    }),
  ];
}

/** How the race stands, in one line. */
export function standingLine(standing: Standing): string {
  const { states, tally, killed } = standing;
  const { p50, p99 } = tally.latency();
  const parts = [
    seconds(standing).padStart(6),
    Object.entries(states)
      .map(([state, n]) => `${state} ${n}`)
      .join(" "),
    `won ${[...tally.replicas.values()].map(({ won }) => won).join("+")}`,
    `refused ${[...tally.replicas.values()].map(refusedIn).join("+")}`,
    `${changesPerSecond(standing)} changes/s`,
    `p50 ${ms(p50)} p99 ${ms(p99)}`,
    ...(killed === undefined ? [] : [`${killed} killed`]),
  ];
  return parts.join("  ");
}

function changesPerSecond({ elapsedMs, tally }: Standing): number {
  return Math.round((tally.won / Math.max(elapsedMs, 1)) * 1000);
}

function seconds({ elapsedMs }: Standing): string {
  return `${(elapsedMs / 1000).toFixed(1)} s`;
}

function right(n: number, width: number): string {
  return String(n).padStart(width);
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}
