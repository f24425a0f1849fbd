import type { Call, Entity } from "../facts.js";
import { changedFields } from "../field-map.js";
import type { Findings } from "../report.js";
import { callWords, seenWords } from "../words.js";

/** A refusal was right about the entity that it showed. */
export function checkRejections(entity: Entity, findings: Findings): void {
  for (const call of entity.calls) {
    const problem = rejectionProblem(call);
    if (problem === undefined) continue;
    const message = `${callWords(call)} was refused as ${call.outcome}, though ${problem}`;
    findings.add("refused", entity, message, call.line, call.returnLine);
  }
}

/** Why a refusal can't have been; undefined where it can. */
export function rejectionProblem({ outcome, seen, operation, to, ...call }: Call): string | undefined {
  const { machine } = call.entity;
  if (outcome === "EXISTS") return seen === undefined ? "it showed no such entity" : undefined;
  if (outcome === "ILLEGAL") {
    if (seen === undefined) return "it showed no entity";
    const may = call.force ? machine.has(to ?? "") : machine.leads(seen.state, to ?? "");
    return may ? `the machine leads from ${seen.state} to ${to}` : undefined;
  }
  if (outcome === "CONFLICT") {
    if (seen === undefined) return "it showed no entity";
    const isOther = call.ifVersion !== undefined && call.ifVersion !== seen.version;
    const isElsewhere = call.ifState !== undefined && call.ifState !== seen.state;
    return isOther || isElsewhere ? undefined : `the call's conditions hold of ${seenWords(seen)}`;
  }
  if (outcome === "MISSING") {
    const entered = operation === "create" ? machine.initial : (to ?? seen?.state ?? "");
    const fields = changedFields(seen?.fields ?? {}, call.set, call.unset);
    return machine.missingFieldIn(entered, fields) === undefined
      ? `every field that ${entered} requires was there`
      : undefined;
  }
  return undefined;
}
