import type {
  FinalEntityRecord,
  FinalLogRecord,
  FinalScoreRecord,
  HistoryRecord,
} from "../../../faults/history/records.js";
import { finalOf } from "../simulation/final-state.js";
import { type Mutation, pick } from "./mutation.js";
import type { Tape } from "./tape.js";

function ofKind<K extends HistoryRecord["kind"]>({ records }: Tape, kind: K) {
  return records.filter((record): record is Extract<HistoryRecord, { kind: K }> => record.kind === kind);
}

function scores(tape: Tape, kind: FinalScoreRecord["kind"]): FinalScoreRecord[] {
  return tape.records.filter((record): record is FinalScoreRecord => record.kind === kind);
}

function drifted(kind: FinalScoreRecord["kind"]): (tape: Tape) => boolean {
  return (tape) => {
    const place = pick(tape, scores(tape, kind));
    if (place === undefined) return false;
    const by = tape.random.of([1, -1, 1000, 10 ** 13]);
    tape.replace(place, { ...place, score: place.score + by });
    return true;
  };
}

function missing(kind: FinalScoreRecord["kind"]): (tape: Tape) => boolean {
  return (tape) => {
    const place = pick(tape, scores(tape, kind));
    if (place === undefined) return false;
    tape.replace(place);
    return true;
  };
}

/** A script stopped after its event was logged: the hash, or all but the hash, is as it was before. */
function halfApplied(keeps: "hash" | "rest"): (tape: Tape) => boolean {
  return (tape) => {
    const places = ofKind(tape, "final-entity").flatMap((entity) => {
      const log = tape.logOf(entity.id).map(({ document }) => document);
      const removal = log.findLastIndex(({ type }) => type.endsWith(".removed"));
      const life = log.slice(removal + 1);
      // A patch leaves index and timers alone.
      return life.length < 2 || life.at(-1)?.type.endsWith(".updated") ? [] : [{ entity, life }];
    });
    const place = pick(tape, places);
    if (place === undefined) return false;
    const { machine, id } = place.entity;
    const before = [...finalOf(tape.rulesOf(machine), place.life.slice(0, -1))];
    const isHash = (record: HistoryRecord): boolean => record.kind === "final-entity";
    const stays = before.filter((record) => isHash(record) === (keeps === "hash"));
    for (const record of tape.records) {
      if (!record.kind.startsWith("final-") || record.kind === "final-event") continue;
      if ("id" in record && record.id === id && isHash(record) === (keeps === "hash")) tape.replace(record);
    }
    const end = tape.records.at(-1);
    if (end !== undefined) tape.replace(end, ...stays, end);
    return true;
  };
}

/** One field of the hash is another one. */
function changedHash(change: (entity: FinalEntityRecord, tape: Tape) => Record<string, string>) {
  return (tape: Tape): boolean => {
    const entity = pick(tape, ofKind(tape, "final-entity"));
    if (entity === undefined) return false;
    tape.replace(entity, { ...entity, hash: change(entity, tape) });
    return true;
  };
}

function shortened(tape: Tape): boolean {
  const list = pick(tape, ofKind(tape, "final-log"));
  if (list === undefined) return false;
  const out = tape.random.below(list.documents.length);
  const documents: FinalLogRecord["documents"] = list.documents.filter((_, at) => at !== out);
  tape.replace(list, { ...list, documents });
  return true;
}

/** What was removed is still in the index. */
function orphaned(tape: Tape): boolean {
  const gone = tape.logs.filter((log) => log.at(-1)?.document.type.endsWith(".removed"));
  const [first] = pick(tape, gone) ?? [];
  const end = tape.records.at(-1);
  if (first === undefined || end === undefined) return false;
  const { machine, id } = first.document;
  tape.replace(end, { kind: "final-index", machine, id, score: 1 }, end);
  return true;
}

/** An entity that was never removed is not there. */
function vanished(tape: Tape): boolean {
  const entity = pick(tape, ofKind(tape, "final-entity"));
  if (entity === undefined) return false;
  for (const record of tape.records) {
    const isOfIt = "id" in record && record.id === entity.id && record.kind.startsWith("final-");
    if (isOfIt) tape.replace(record);
  }
  return true;
}

const hidden = { isVisible: false } as const;

export const STATE_MUTATIONS: readonly Mutation[] = [
  { ...hidden, name: "half-applied: hash left behind", rule: "entity", inject: halfApplied("hash") },
  { ...hidden, name: "half-applied: hash alone written", rule: "index", inject: halfApplied("rest") },
  { ...hidden, name: "index drift", rule: "index", inject: drifted("final-index") },
  { ...hidden, name: "not in the index", rule: "index", inject: missing("final-index") },
  { ...hidden, name: "orphan in the index", rule: "index", inject: orphaned },
  { ...hidden, name: "timer drift", rule: "due", inject: drifted("final-due") },
  { ...hidden, name: "timer missing", rule: "due", inject: missing("final-due") },
  { ...hidden, name: "change missing in the entity's log", rule: "log", inject: shortened },
  { ...hidden, name: "entity gone", rule: "entity", inject: vanished },
  {
    ...hidden,
    name: "hash has another version",
    rule: "entity",
    inject: changedHash(({ hash }) => ({ ...hash, version: String(Number(hash.version) + 1) })),
  },
  {
    ...hidden,
    name: "hash has one field more",
    rule: "entity",
    inject: changedHash(({ hash }) => ({ ...hash, extra: "1" })),
  },
  {
    ...hidden,
    name: "op not remembered",
    rule: "entity",
    inject: changedHash(({ hash }) => ({ ...hash, "op:0": "" })),
  },
];
