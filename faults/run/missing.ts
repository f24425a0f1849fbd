import type { Injected } from "./injections.js";
import type { RunOptions } from "./run.js";

/** The kinds of faults that were to be injected and could not be, and what that takes. */
export function missingOf(
  { faults, injections }: Pick<RunOptions, "faults" | "injections">,
  injected: readonly Injected[],
): string[] {
  if (injections === 0) return [];
  const told = new Map(injected.map((one) => [one.fault.name, one]));
  return faults.flatMap(({ name }) => {
    const one = told.get(name);
    const reason = one === undefined ? "the run ended before its turn" : one.unavailable;
    return reason === undefined ? [] : [`${name}: ${reason}`];
  });
}

/** The same for people. */
export function missingLines(missing: readonly string[], isAllowed: boolean): string[] {
  if (missing.length === 0) return [];
  const kinds = missing.length === 1 ? "1 kind of fault was" : `${missing.length} kinds of faults were`;
  const todo = isAllowed ? "allowed by --allow-missing" : "install what is missing, or give --allow-missing";
  return [
    `missing       ${kinds} chosen and could not be injected; ${todo}`,
    ...missing.map((line) => `  ${line}`),
  ];
}
