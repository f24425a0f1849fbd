import type { FieldMap } from "../history/records.js";

/** Returns the name of a field that differs between two sets of own fields, or undefined if they are equal. */
export function differingField(one: FieldMap, other: FieldMap): string | undefined {
  for (const field in one) {
    if (!Object.hasOwn(other, field) || !isSame(one[field], other[field])) return field;
  }
  for (const field in other) if (!Object.hasOwn(one, field)) return field;
  return undefined;
}

function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  return (
    typeof one === "object" && typeof other === "object" && JSON.stringify(one) === JSON.stringify(other)
  );
}

/** Returns the fields after some were set and others removed. */
export function changedFields(
  before: FieldMap,
  set: FieldMap | undefined,
  unset: readonly string[] | undefined,
): FieldMap {
  if (set === undefined && unset === undefined) return before;
  const after: Record<string, unknown> = { ...before, ...set };
  for (const field of unset ?? []) delete after[field];
  return after;
}
