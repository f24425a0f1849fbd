import { durationProblem } from "./duration.js";
import { isObject, type Keys, kindOf, shown } from "./json-value.js";
import type { NameRule } from "./names.js";
import type { Reporter } from "./problem.js";
import { didYouMean } from "./suggest.js";

type Properties = Readonly<Record<string, unknown>>;

/** Returns an own property of an object; inherited ones are not part of the definition. */
export function own(object: Properties, property: string): unknown {
  return Object.hasOwn(object, property) ? object[property] : undefined;
}

/** Reports a value that is not an object. */
export function verifyObject(value: unknown, keys: Keys, report: Reporter): value is Properties {
  if (isObject(value)) return true;
  report(keys, `must be an object, not ${kindOf(value)}`);
  return false;
}

/** Reports a value that is not an object, and each unknown or missing property. */
export function verifyShape(
  value: unknown,
  shape: { readonly required: readonly string[]; readonly optional: readonly string[] },
  keys: Keys,
  report: Reporter,
): value is Properties {
  if (!verifyObject(value, keys, report)) return false;
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

/** Reports a value that is not a whole number within bounds. */
export function verifyInteger(
  value: unknown,
  least: number,
  most: number,
  keys: Keys,
  report: Reporter,
): void {
  if (value === undefined) return;
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return;
  report(keys, `must be a whole number from ${least} to ${most}, not ${shown(value)}`);
}

/** Reports an invalid duration. */
export function verifyDuration(value: unknown, keys: Keys, report: Reporter): void {
  const problem = value === undefined ? undefined : durationProblem(value);
  if (problem !== undefined) report(keys, problem);
}

/** Reports an invalid name. */
export function verifyName(value: unknown, rule: NameRule, keys: Keys, report: Reporter): void {
  if (value === undefined) return;
  if (typeof value !== "string" || !rule.pattern.test(value)) {
    report(keys, `invalid ${rule.kind} ${shown(value)}: ${rule.words}`);
  } else if (rule.reserved?.has(value)) {
    report(keys, `${shown(value)} is reserved by latchkey; choose another ${rule.kind}`);
  }
}

/** Reports a value that is not a list, a list that is too long, and duplicates. Calls `check` for each item. */
export function verifyList(
  value: unknown,
  most: number,
  keys: Keys,
  report: Reporter,
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
