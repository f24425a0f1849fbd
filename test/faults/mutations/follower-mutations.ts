import type { EventRecord } from "../../../faults/history/records.js";
import type { EditableHistory } from "./editable-history.js";
import { type Mutation, pick } from "./mutation.js";

/** Finds two consecutive changes of one iteration. */
function neighbours({ records }: EditableHistory): { one: EventRecord; next: EventRecord }[] {
  const last = new Map<string, EventRecord>();
  const found: { one: EventRecord; next: EventRecord }[] = [];
  for (const record of records) {
    if (!("follower" in record)) continue;
    const one = last.get(record.follower);
    if (record.kind !== "event") last.delete(record.follower);
    else {
      if (one !== undefined) found.push({ one, next: record });
      last.set(record.follower, record);
    }
  }
  return found;
}

function onPair(edit: (history: EditableHistory, pair: { one: EventRecord; next: EventRecord }) => void) {
  return (history: EditableHistory): boolean => {
    // Not the first change of an iteration, because the follower need not have read its predecessor.
    const pairs = neighbours(history);
    const inner = pairs.filter(({ one }) => pairs.some(({ next }) => next === one));
    const pair = pick(history, inner);
    if (pair === undefined) return false;
    edit(history, pair);
    return true;
  };
}

const common = { rule: "followers", isVisible: false } as const;

export const FOLLOWER_MUTATIONS: readonly Mutation[] = [
  {
    ...common,
    name: "follower misses a change",
    inject: onPair((history, { one }) => history.replace(one)),
  },
  {
    ...common,
    name: "follower reads a change twice",
    inject: onPair((history, { one }) => history.replace(one, one, one)),
  },
  {
    ...common,
    name: "follower reads changes out of order",
    inject: onPair((history, { one, next }) => {
      history.replace(one, next);
      history.replace(next, one);
    }),
  },
  {
    ...common,
    name: "follower reads other content",
    inject: onPair((history, { one }) =>
      history.replace(one, { ...one, document: { ...one.document, version: 999 } }),
    ),
  },
  {
    ...common,
    name: "follower stops before the end",
    inject: (history) => {
      const ended = pick(
        history,
        history.records.filter((record) => record.kind === "followed"),
      );
      const last = history.records.findLast(
        (record) => record.kind === "event" && record.follower === ended?.follower,
      );
      if (last === undefined) return false;
      history.replace(last);
      return true;
    },
  },
];
