import type { EventRecord } from "../../../faults/history/records.js";
import { type Mutation, pick } from "./mutation.js";
import type { Tape } from "./tape.js";

/** Two changes that a follower was given one after the other in one iteration. */
function neighbours({ records }: Tape): { one: EventRecord; next: EventRecord }[] {
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

function spoil(edit: (tape: Tape, pair: { one: EventRecord; next: EventRecord }) => void) {
  return (tape: Tape): boolean => {
    // Not the first of an iteration: what comes before it was perhaps never meant to be read.
    const pairs = neighbours(tape);
    const inner = pairs.filter(({ one }) => pairs.some(({ next }) => next === one));
    const pair = pick(tape, inner);
    if (pair === undefined) return false;
    edit(tape, pair);
    return true;
  };
}

const common = { rule: "followers", isVisible: false } as const;

export const FOLLOWER_MUTATIONS: readonly Mutation[] = [
  {
    ...common,
    name: "follower misses a change",
    inject: spoil((tape, { one }) => tape.replace(one)),
  },
  {
    ...common,
    name: "follower is given a change twice",
    inject: spoil((tape, { one }) => tape.replace(one, one, one)),
  },
  {
    ...common,
    name: "follower is given changes out of order",
    inject: spoil((tape, { one, next }) => {
      tape.replace(one, next);
      tape.replace(next, one);
    }),
  },
  {
    ...common,
    name: "follower is given another content",
    inject: spoil((tape, { one }) =>
      tape.replace(one, { ...one, document: { ...one.document, version: 999 } }),
    ),
  },
  {
    ...common,
    name: "follower stops before the end",
    inject: (tape) => {
      const ended = pick(
        tape,
        tape.records.filter((record) => record.kind === "followed"),
      );
      const last = tape.records.findLast(
        (record) => record.kind === "event" && record.follower === ended?.follower,
      );
      if (last === undefined) return false;
      tape.replace(last);
      return true;
    },
  },
];
