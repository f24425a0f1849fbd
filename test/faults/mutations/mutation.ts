import type { Rule } from "../../../faults/check/report.js";
import type { EditableHistory } from "./editable-history.js";

/** Describes one mutation of a history. */
export interface Mutation {
  readonly name: string;
  /** The rule of the witness checker that must find it. */
  readonly rule: Rule;
  /** True if callers can notice it, so that a checker without the log must find it too. */
  readonly isVisible: boolean;
  /** Mutates a history at a random place. Returns false if it has no suitable place. */
  readonly inject: (history: EditableHistory) => boolean;
}

/** Returns one of the items, if there are any. */
export function pick<T>({ random }: EditableHistory, items: readonly T[]): T | undefined {
  return items.length === 0 ? undefined : random.of(items);
}
