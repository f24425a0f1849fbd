import type { Call, LogEntry, ParsedObservation } from "./facts.js";

/** Formats the subjects of violations. */
export function callWords({ process, number, operation, to, op }: Call): string {
  return `${operation}${to === undefined ? "" : ` to ${to}`}${op === undefined ? "" : ` ${op}`} (call ${number} of ${process})`;
}

export function changeWords({ version, state, op }: Pick<LogEntry, "version" | "state" | "op">): string {
  return `version ${version} (${state}${op === undefined ? "" : `, op ${op}`})`;
}

export function observationWords({ version, state, timestamp }: ParsedObservation): string {
  return `version ${version} (${state}, made ${timeWords(timestamp)})`;
}

export function timeWords(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}
