import { findNonJson, isObject, type Keys, shown } from "./json-value.js";
import { EVENT_NAME, FIELD_NAME } from "./names.js";
import type { Reporter } from "./problem.js";
import { own, verifyDuration, verifyList, verifyName, verifyObject, verifyShape } from "./property-checks.js";
import { didYouMean } from "./suggest.js";

type States = Readonly<Record<string, unknown>>;

/** The maximum number of states of a machine. */
export const MAX_STATES = 64;

const MAX_FIELDS = 64;

const STATE = {
  required: [],
  optional: ["to", "event", "stamp", "require", "timeout", "lease", "retain"],
} as const;

/** Reports all problems inside one state. `states` are all states of the machine, not yet checked. */
export function checkState(value: unknown, keys: Keys, states: States, report: Reporter): void {
  if (!verifyShape(value, STATE, keys, report)) return;
  const to = own(value, "to");
  verifyList(to, MAX_STATES, [...keys, "to"], report, (item, at) => checkTarget(item, states, at, report));
  verifyName(own(value, "event"), EVENT_NAME, [...keys, "event"], report);
  verifyName(own(value, "stamp"), FIELD_NAME, [...keys, "stamp"], report);
  verifyList(own(value, "require"), MAX_FIELDS, [...keys, "require"], report, (item, at) =>
    verifyName(item, FIELD_NAME, at, report),
  );
  const targets = to === undefined ? [] : to;
  checkTimer(own(value, "timeout"), "after", [...keys, "timeout"], targets, states, report);
  checkTimer(own(value, "lease"), "for", [...keys, "lease"], targets, states, report);
  const retain = own(value, "retain");
  verifyDuration(retain, [...keys, "retain"], report);
  if (retain !== undefined && Array.isArray(targets) && targets.length > 0) {
    report([...keys, "retain"], "only a final state (one without `to`) is removed after a time");
  }
}

/** Reports a state whose event equals that of a patch or a removal. */
export function checkEvent(
  value: unknown,
  state: string,
  machine: unknown,
  keys: Keys,
  report: Reporter,
): void {
  if (!isObject(value)) return;
  const event = own(value, "event") ?? `${machine}.${state}`;
  for (const [word, change] of [
    ["updated", "patch"],
    ["removed", "removal"],
  ]) {
    if (event !== `${machine}.${word}`) continue;
    report(keys, `${shown(event)} is the event of every ${change}; choose another event for this state`);
  }
}

/** Reports a value that is not the name of a state. */
export function checkTarget(value: unknown, states: States, keys: Keys, report: Reporter): value is string {
  if (typeof value === "string" && Object.hasOwn(states, value)) return true;
  const near = typeof value === "string" ? didYouMean(value, Object.keys(states)) : "";
  report(keys, `unknown state ${shown(value)}${near}`);
  return false;
}

function checkTimer(
  value: unknown,
  length: "after" | "for",
  keys: Keys,
  targets: unknown,
  states: States,
  report: Reporter,
): void {
  if (value === undefined) return;
  if (!verifyShape(value, { required: [length, "to"], optional: ["set"] }, keys, report)) return;
  verifyDuration(own(value, length), [...keys, length], report);
  const set = own(value, "set");
  const stamps = stampsOf(states);
  if (set !== undefined) checkSet(set, stamps, [...keys, "set"], report);
  if (!Array.isArray(targets)) return;
  if (targets.length === 0) {
    report(keys, "a final state (one without `to`) cannot time out");
    return;
  }
  const to = own(value, "to");
  if (to === undefined || !checkTarget(to, states, [...keys, "to"], report)) return;
  if (!targets.includes(to)) {
    const possible = targets.map(shown).join(", ");
    report([...keys, "to"], `${shown(to)} is not among the state's own \`to\`: ${possible}`);
  }
  checkRequiredSet(set, to, stamps, keys, states, report);
}

/** Reports required fields, except stamps, that a timer's `set` lacks. No caller can supply them when the timer fires. */
function checkRequiredSet(
  set: unknown,
  to: string,
  stamps: ReadonlySet<unknown>,
  keys: Keys,
  states: States,
  report: Reporter,
): void {
  const target = own(states, to);
  const required = isObject(target) ? own(target, "require") : undefined;
  if (!Array.isArray(required) || (set !== undefined && !isObject(set))) return;
  for (const field of required) {
    if (typeof field === "string" && !stamps.has(field) && own(set ?? {}, field) === undefined) {
      report([...keys, "set"], `must contain ${shown(field)}, which ${shown(to)} requires`);
    }
  }
}

function stampsOf(states: States): ReadonlySet<unknown> {
  return new Set(Object.values(states).map((state) => (isObject(state) ? own(state, "stamp") : undefined)));
}

function checkSet(value: unknown, stamps: ReadonlySet<unknown>, keys: Keys, report: Reporter): void {
  if (!verifyObject(value, keys, report)) return;
  const fields = Object.entries(value);
  if (fields.length > MAX_FIELDS) {
    report(keys, `has ${fields.length} fields, at most ${MAX_FIELDS} are possible`);
    return;
  }
  for (const [field, item] of fields) {
    verifyName(field, FIELD_NAME, [...keys, field], report);
    const found = findNonJson(item, [...keys, field]);
    if (found !== undefined) report(found.keys, found.message);
    if (stamps.has(field)) report([...keys, field], "is a stamp, which only the server sets");
  }
}
