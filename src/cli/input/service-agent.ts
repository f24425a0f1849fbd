import { shortText } from "../../contract/arguments.js";
import { type CompiledMachine, stateOf } from "../../machine/compiled.js";
import { isObject, type JsonValue } from "../../machine/json-value.js";
import { didYouMean } from "../../machine/suggest.js";
import { firstRoundedNumber } from "./rounded-number.js";

/** An agent of the in-process service, as `restore` takes it. */
export interface ServiceAgent {
  readonly id: string;
  readonly state: string;
  readonly fields: Readonly<Record<string, JsonValue>>;
  /** Times of creation and of entering the state. Absent if the value has none: they are those of the import. */
  readonly times: { readonly createdAt?: string; readonly since?: string };
  /** Corrections of the value, for people. */
  readonly notes: readonly string[];
}

/** The text that a failed agent gets if the service stored none, because the machine requires one. */
export const NO_ERROR_TEXT = "imported without an error text";

/** The scripts accept a time that is this much ahead of the server clock. */
const TOLERANCE_MS = 60_000;

/**
 * Reads a value of the in-process service: `{agentId, taskId, status, startedAt?, completedAt?, error?, metadata?}` as JSON.
 * Further members become fields too. `createdAt` becomes the time of creation.
 *
 * @param id the ID that the key names
 * @param nowMs the server's time in ms
 * @returns a text with the reason if the value is not such an agent
 */
export function readServiceAgent(
  json: string,
  id: string,
  definition: CompiledMachine,
  nowMs: number,
): ServiceAgent | string {
  const value = parsed(json);
  if (!isObject(value)) return value === undefined ? "not JSON" : "not a JSON object";
  const rounded = firstRoundedNumber(json);
  if (rounded !== undefined) return `the number ${rounded} would lose digits`;
  const { status, createdAt, ...members } = value as Record<string, JsonValue>;
  if (members.agentId === undefined) return "agentId is missing";
  if (members.agentId !== id) return `agentId is ${shortText(members.agentId)}, but the key names "${id}"`;
  if (status === undefined) return "status is missing";
  if (typeof status !== "string") return `status must be text, not ${shortText(status)}`;
  const entered = stateOf(definition, status);
  if (entered === undefined) {
    const known = Object.keys(definition.states);
    return `unknown status ${shortText(status)}${didYouMean(status, known) || `; use ${known.join(", ")}`}`;
  }
  const { stamp, require: required = [] } = entered;
  const stamps = Object.values(definition.states).flatMap((state) => state.stamp ?? []);
  const notes: string[] = [];
  const fields: Record<string, JsonValue> = Object.fromEntries(
    Object.entries(members).filter(
      ([name, member]) => member !== null || !(stamps.includes(name) || name === "error"),
    ),
  );
  const times = timesOf({ ...fields, createdAt: createdAt ?? null }, ["createdAt", ...stamps]);
  if (typeof times === "string") return times;
  if (required.includes("error") && fields.error === undefined) {
    fields.error = NO_ERROR_TEXT;
    notes.push(`error was missing; it is "${NO_ERROR_TEXT}"`);
  }
  let since = stamp === undefined ? undefined : times.get(stamp);
  if (stamp !== undefined && since === undefined) notes.push(`${stamp} was missing; it is now`);
  if (since !== undefined && since > nowMs + TOLERANCE_MS) {
    notes.push(`${stamp} is ahead of the server clock; the agent has been ${status} since now`);
    since = undefined;
  }
  // The clocks of two replicas may differ, and a creation is never after a change.
  const created = Math.min(...times.values(), since ?? nowMs);
  return {
    ...{ id, state: status, fields, notes },
    times: {
      ...(times.size > 0 && { createdAt: iso(created) }),
      ...(since !== undefined && { since: iso(since) }),
    },
  };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** Reads the times among some members. @returns the times in ms by name, or a text that names one that is not a time */
function timesOf(
  members: Readonly<Record<string, JsonValue>>,
  names: readonly string[],
): Map<string, number> | string {
  const times = new Map<string, number>();
  for (const name of names) {
    const text = members[name] ?? null;
    if (text === null) continue;
    const ms = typeof text === "string" && /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
    if (!(ms >= 0)) return `${name} is not a time: ${shortText(text)}`;
    times.set(name, ms);
  }
  return times;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
