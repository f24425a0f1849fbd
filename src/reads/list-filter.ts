import { checkDuration, checkFlag, checkKnownStates } from "../contract/arguments.js";
import { dueAt } from "../contract/due-at.js";
import { stateOf } from "../machine/compiled.js";
import { type Duration, durationMs } from "../machine/duration.js";
import type { DueOptions } from "./due.js";
import type { InstalledMachine } from "./installed-machine.js";
import { type StateRange, stateRange } from "./position.js";

/** Filters of `list`. */
export interface ListFilter<S extends string = string> extends DueOptions {
  /** Only entities in this state, or in one of these states. */
  readonly state?: S | readonly S[];
  /** Only entities that have been in their state for at least this long. */
  readonly olderThan?: Duration;
}

/** Option names of {@link ListFilter}. */
export const FILTER_OPTIONS: readonly (keyof ListFilter)[] = ["state", "olderThan", "dueWithin", "stuck"];

/** @throws ContractError with code BADARG if an option is invalid */
export function checkFilter(options: ListFilter): void {
  for (const name of ["olderThan", "dueWithin"] as const) {
    const duration = options[name];
    if (duration !== undefined) checkDuration(name, duration);
  }
  checkFlag("stuck", options.stuck);
}

/**
 * Returns the ranges of the index that a filter selects.
 *
 * @param nowMs server time
 * @throws ContractError with code BADARG if a state is unknown
 */
export function rangesIn(
  { definition, ordinals }: InstalledMachine,
  options: ListFilter,
  nowMs: number,
): StateRange[] {
  const wanted = options.state === undefined ? ordinals : [options.state].flat();
  checkKnownStates(definition.name, wanted, ordinals);
  const untilMs = options.olderThan === undefined ? undefined : nowMs - durationMs(options.olderThan);
  const hasTimer = (name: string): boolean => {
    const state = stateOf(definition, name);
    return state !== undefined && dueAt(state, 0) !== undefined;
  };
  return ordinals.flatMap((state, ordinal) =>
    wanted.includes(state) && (!isTimed(options) || hasTimer(state))
      ? [stateRange(state, ordinal, untilMs)]
      : [],
  );
}

/** True if a filter compares with the time of the server. */
export function needsTime(options: ListFilter): boolean {
  return options.olderThan !== undefined || isTimed(options);
}

/** True if the options filter by deadline, so that only states with a timer match. */
function isTimed({ dueWithin, stuck }: ListFilter): boolean {
  return dueWithin !== undefined || stuck === true;
}

/** Describes a filter, equal for options of equal meaning. */
export function filterText({ state, olderThan, dueWithin, stuck }: ListFilter): string {
  const states = state === undefined ? [] : [...new Set([state].flat())].sort();
  return [
    ...(state === undefined ? [] : [`state ${states.join(",")}`]),
    ...(olderThan === undefined ? [] : [`olderThan ${durationMs(olderThan)}`]),
    ...(dueWithin === undefined ? [] : [`dueWithin ${durationMs(dueWithin)}`]),
    ...(stuck === true ? ["stuck"] : []),
  ].join(" ");
}
