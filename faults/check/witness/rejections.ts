import type { Call, Entity } from "../facts.js";
import { changedFields } from "../field-map.js";
import type { Findings } from "../report.js";
import { callWords, observationWords } from "../words.js";

/** Checks that each rejection was correct for the entity that it showed. */
export function checkRejections(entity: Entity, findings: Findings): void {
  for (const call of entity.calls) {
    const problem = rejectionProblem(call);
    if (problem === undefined) continue;
    const message = `${callWords(call)} was rejected as ${call.outcome}, although ${problem}`;
    findings.add("rejections", entity, message, call.line, call.returnLine);
  }
}

/** Returns why a rejection is impossible, or undefined if it is correct. */
export function rejectionProblem({ outcome, observation, operation, to, ...call }: Call): string | undefined {
  const { machine } = call.entity;
  if (outcome === "EXISTS") return observation === undefined ? "it showed no such entity" : undefined;
  if (outcome === "ILLEGAL") {
    if (observation === undefined) return "it showed no entity";
    const may = call.force ? machine.has(to ?? "") : machine.leads(observation.state, to ?? "");
    return may ? `the machine leads from ${observation.state} to ${to}` : undefined;
  }
  if (outcome === "CONFLICT") {
    if (observation === undefined) return "it showed no entity";
    const isOther = call.ifVersion !== undefined && call.ifVersion !== observation.version;
    const isElsewhere = call.ifState !== undefined && call.ifState !== observation.state;
    return isOther || isElsewhere
      ? undefined
      : `the call's conditions hold for ${observationWords(observation)}`;
  }
  if (outcome === "MISSING") {
    const entered = operation === "create" ? machine.initial : (to ?? observation?.state ?? "");
    const fields = changedFields(observation?.fields ?? {}, call.set, call.unset);
    return machine.missingFieldIn(entered, fields) === undefined
      ? `every field that ${entered} requires was present`
      : undefined;
  }
  return undefined;
}
