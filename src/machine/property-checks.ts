import { durationProblem } from "./duration.js";
import { isObject, type Keys, kindOf, shown } from "./json-value.js";
import type { NameRule } from "./names.js";
import type { Report } from "./problem.js";
import { didYouMean } from "./suggest.js";

type Properties = Readonly<Record<string, unknown>>;

/** An object's own property: what stands on its prototype is none of the definition's. */
export function own(object: Properties, property: string): unknown {
  return Object.hasOwn(object, property) ? object[property] : undefined;
}

/** Reports a value that is no object. */
export function checkObject(value: unknown, keys: Keys, report: Report): value is Properties {
  if (isObject(value)) return true;
  report(keys, `must be an object, not ${kindOf(value)}`);
  return false;
}

/** Reports a value that is no object, and each property that is unknown or missing. */
export function checkShape(
  value: unknown,
  shape: { readonly required: readonly string[]; readonly optional: readonly string[] },
  keys: Keys,
  report: Report,
): value is Properties {
  if (!checkObject(value, keys, report)) return false;
  const known = [...shape.required, ...shape.optional];
  for (const property of Object.keys(value)) {
    if (known.includes(property)) continue;
    const hint = didYouMean(property, known) || `; known are ${known.join(", ")}`;
    report([...keys, property], `unknown property${hint}`);
  }
  for (const property of shape.required) {
    if (own(value, property) === undefined) report([...keys, property], "is missing");
  }
  return true;
}

/** Reports a number that is not whole or not within bounds. */
export function checkInteger(value: unknown, least: number, most: number, keys: Keys, report: Report): void {
  if (value === undefined) return;
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return;
  report(keys, `must be a whole number from ${least} to ${most}, not ${shown(value)}`);
}

/** Reports an invalid duration. */
export function checkDuration(value: unknown, keys: Keys, report: Report): void {
  const problem = value === undefined ? undefined : durationProblem(value);
  if (problem !== undefined) report(keys, problem);
}

/** Reports a name that breaks its rule. */
export function checkName(value: unknown, rule: NameRule, keys: Keys, report: Report): void {
  if (value === undefined) return;
  if (typeof value !== "string" || !rule.pattern.test(value)) {
    report(keys, `invalid ${rule.kind} ${shown(value)}: ${rule.words}`);
  } else if (rule.reserved?.has(value)) {
    report(keys, `${shown(value)} is reserved: latchkey uses it itself; choose another ${rule.kind}`);
  }
}

/** Reports a list that is none, is too long or names something twice; calls `check` for each item. */
export function checkList(
  value: unknown,
  most: number,
  keys: Keys,
  report: Report,
  check: (item: unknown, keys: Keys) => void,
): void {
  if (value === undefined) return;
  if (!Array.isArray(value)) {
    report(keys, `must be an array, not ${kindOf(value)}`);
    return;
  }
  if (value.length > most) {
    report(keys, `has ${value.length} entries, at most ${most} are possible`);
    return;
  }
  const seen = new Set<unknown>();
  for (const [at, item] of value.entries()) {
    if (seen.has(item)) report([...keys, at], `${shown(item)} is listed twice`);
    else check(item, [...keys, at]);
    seen.add(item);
  }
}
