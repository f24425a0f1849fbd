import type { MachineRules } from "../../../faults/check/machine-rules.js";
import type { FieldMap, HistoryRecord, Observation } from "../../../faults/history/records.js";
import { observationOf } from "../../../faults/history/writer.js";

/** The document of a change. */
export interface ChangeDocument extends Omit<Observation, "fields" | "opVersion">, FieldMap {
  readonly type: string;
  readonly machine: string;
  readonly id: string;
  readonly from: string | null;
  readonly op?: string;
}

/** Returns the final state of an existing entity after the changes of its life. */
export function* finalOf(rules: MachineRules, life: readonly ChangeDocument[]): Generator<HistoryRecord> {
  const last = life.at(-1);
  if (last === undefined) return;
  const { machine, id, state } = last;
  const since = Date.parse(last.since);
  yield { kind: "final-entity", machine, id, hash: hashOf(life, last) };
  yield { kind: "final-index", machine, id, score: rules.indexScore(state, since) };
  const score = rules.dueAt(state, since);
  if (score !== undefined) yield { kind: "final-due", machine, id, score };
  const documents = life.slice(-rules.history).map((document) => JSON.stringify(document));
  yield { kind: "final-log", machine, id, documents };
}

function hashOf(life: readonly ChangeDocument[], last: ChangeDocument): Record<string, string> {
  const { state, version, timestamp, since, createdAt, fields } = observationOf(last);
  const hash: Record<string, string> = {
    ...{
      state,
      version: String(version),
      at: String(Date.parse(timestamp)),
      since: String(Date.parse(since)),
    },
    ...{ ops: "0 0", created: createdAt },
  };
  life
    .filter(({ op }) => op !== undefined)
    .slice(-5)
    .forEach((one, at) => {
      hash[`op:${at}`] = `${one.op} ${one.version} ${Date.parse(one.timestamp)}`;
    });
  for (const field in fields) hash[field] = JSON.stringify(fields[field]);
  return hash;
}
