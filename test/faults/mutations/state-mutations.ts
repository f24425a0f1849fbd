import type { FinalEntityRecord, FinalScoreRecord, HistoryRecord } from "../../../faults/history/records.js";
import { finalOf, lifeIn } from "../simulation/final-state.js";
import type { EditableHistory } from "./editable-history.js";
import { type Mutation, pick } from "./mutation.js";

function ofKind<K extends HistoryRecord["kind"]>({ records }: EditableHistory, kind: K) {
  return records.filter((record): record is Extract<HistoryRecord, { kind: K }> => record.kind === kind);
}

function scores(history: EditableHistory, kind: FinalScoreRecord["kind"]): FinalScoreRecord[] {
  return history.records.filter((record): record is FinalScoreRecord => record.kind === kind);
}

function drifted(kind: FinalScoreRecord["kind"]): (history: EditableHistory) => boolean {
  return (history) => {
    const place = pick(history, scores(history, kind));
    if (place === undefined) return false;
    const by = history.random.of([1, -1, 1000, 10 ** 13]);
    history.replace(place, { ...place, score: place.score + by });
    return true;
  };
}

function missing(kind: FinalScoreRecord["kind"]): (history: EditableHistory) => boolean {
  return (history) => {
    const place = pick(history, scores(history, kind));
    if (place === undefined) return false;
    history.replace(place);
    return true;
  };
}

/** Stops a script after its event was logged: the hash, or everything else, remains as before. */
function halfApplied(keeps: "hash" | "rest"): (history: EditableHistory) => boolean {
  return (history) => {
    const places = ofKind(history, "final-entity").flatMap((entity) => {
      const log = history.logOf(entity.id);
      const { life } = lifeIn(log);
      // A patch does not change index and timers.
      return life.length < 2 || life.at(-1)?.document.type.endsWith(".updated") ? [] : [{ entity, log }];
    });
    const place = pick(history, places);
    if (place === undefined) return false;
    const { machine, id } = place.entity;
    const before = [...finalOf(history.rulesOf(machine), place.log.slice(0, -1))];
    const isHash = (record: HistoryRecord): boolean => record.kind === "final-entity";
    const stays = before.filter((record) => isHash(record) === (keeps === "hash"));
    for (const record of history.records) {
      if (!record.kind.startsWith("final-") || record.kind === "final-event") continue;
      if ("id" in record && record.id === id && isHash(record) === (keeps === "hash"))
        history.replace(record);
    }
    const end = history.records.at(-1);
    if (end !== undefined) history.replace(end, ...stays, end);
    return true;
  };
}

/** Changes one field of the hash. */
function changedHash(
  change: (entity: FinalEntityRecord, history: EditableHistory) => Record<string, string>,
) {
  return (history: EditableHistory): boolean => {
    const entity = pick(history, ofKind(history, "final-entity"));
    if (entity === undefined) return false;
    history.replace(entity, { ...entity, hash: change(entity, history) });
    return true;
  };
}

function shortened(history: EditableHistory): boolean {
  const list = pick(history, ofKind(history, "final-log"));
  if (list === undefined) return false;
  const out = history.random.below(list.elements.length >> 1);
  const elements = list.elements.filter((_, at) => at >> 1 !== out);
  history.replace(list, { ...list, elements });
  return true;
}

/** Changes one element of an entity's own log: a record or an idempotency key. */
function changedElement(isRecord: boolean, change: (element: string) => string) {
  return (history: EditableHistory): boolean => {
    const list = pick(history, ofKind(history, "final-log"));
    if (list === undefined) return false;
    const at = 2 * history.random.below(list.elements.length >> 1) + (isRecord ? 0 : 1);
    history.replace(list, { ...list, elements: list.elements.with(at, change(list.elements[at] ?? "")) });
    return true;
  };
}

/** Removes the tombstone of a removed entity, or makes it older. */
function wrongTombstone(history: EditableHistory): boolean {
  const tombstone = pick(
    history,
    scores(history, "final-index").filter(({ score }) => score < 0),
  );
  if (tombstone === undefined) return false;
  if (history.random.below(2) === 0) history.replace(tombstone);
  else history.replace(tombstone, { ...tombstone, score: tombstone.score + 1 });
  return true;
}

/** Leaves a removed entity in the index. */
function orphaned(history: EditableHistory): boolean {
  const gone = history.logs.filter((log) => log.at(-1)?.document.type.endsWith(".removed"));
  const [first] = pick(history, gone) ?? [];
  const end = history.records.at(-1);
  if (first === undefined || end === undefined) return false;
  const { machine, id } = first.document;
  const tombstone = scores(history, "final-index").find((one) => one.id === id);
  if (tombstone !== undefined) history.replace(tombstone);
  history.replace(end, { kind: "final-index", machine, id, score: 1 }, end);
  return true;
}

/** Removes an entity that was never removed. */
function vanished(history: EditableHistory): boolean {
  const entity = pick(history, ofKind(history, "final-entity"));
  if (entity === undefined) return false;
  for (const record of history.records) {
    const isOfIt = "id" in record && record.id === entity.id && record.kind.startsWith("final-");
    if (isOfIt) history.replace(record);
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
    name: "extra field in the hash",
    rule: "entity",
    inject: changedHash(({ hash }) => ({ ...hash, extra: "1" })),
  },
  {
    ...hidden,
    name: "forgotten position is too old",
    rule: "entity",
    inject: (history) => {
      const entities = ofKind(history, "final-entity").filter(({ hash }) => hash["ops:forgot"] !== "0-0");
      const entity = pick(history, entities);
      if (entity === undefined) return false;
      history.replace(entity, { ...entity, hash: { ...entity.hash, "ops:forgot": "0-0" } });
      return true;
    },
  },
  {
    ...hidden,
    name: "idempotency key missing in the entity's log",
    rule: "log",
    inject: changedElement(false, () => ""),
  },
  {
    ...hidden,
    name: "wrong position in the entity's log",
    rule: "log",
    inject: changedElement(true, (text) => text.replace(/-(\d+)"/, '-$1000"')),
  },
  {
    ...hidden,
    name: "wrong effect in the entity's log",
    rule: "log",
    inject: changedElement(true, (text) => JSON.stringify({ ...JSON.parse(text), set: { never: 1 } })),
  },
  { ...hidden, name: "tombstone missing or too old", rule: "index", inject: wrongTombstone },
];
