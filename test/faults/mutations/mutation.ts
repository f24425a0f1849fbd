import type { Rule } from "../../../faults/check/report.js";
import type { EditableHistory } from "./editable-history.js";

/** One way in which a history can be wrong. */
export interface Mutation {
  readonly name: string;
  /** The witness checker's rule that must notice it, whatever others do. */
  readonly rule: Rule;
  /** Callers alone can notice it, so that a checker which does not look at the log must, too. */
  readonly isVisible: boolean;
  /** Spoils a history at a random place; false where it has no place for this. */
  readonly inject: (history: EditableHistory) => boolean;
}

/** One of the items, if there are any. */
export function pick<T>({ random }: EditableHistory, items: readonly T[]): T | undefined {
  return items.length === 0 ? undefined : random.of(items);
}
