import type { FieldMap } from "../../history/records.js";
import type { Call, Entity, Logged } from "../facts.js";
import { changedFields, differingField } from "../field-map.js";
import type { Findings } from "../report.js";
import { callWords, changeWords, timeWords } from "../words.js";
import { kindOf, priorOf } from "./log.js";

/** The changes that an entity's callers asked for: all calls of an op together are one. */
export type Requests = ReadonlyMap<string, readonly Call[]>;

export function requestsOf({ calls }: Entity): Requests {
  const requests = new Map<string, Call[]>();
  for (const call of calls) {
    if (call.op === undefined) continue;
    const same = requests.get(call.op);
    if (same === undefined) requests.set(call.op, [call]);
    else same.push(call);
  }
  return requests;
}

/** Every change in the log was asked for, its conditions held, and it made of the fields what was asked for. */
export function checkRequests(entity: Entity, requests: Requests, findings: Findings): void {
  entity.events.forEach((event, at) => {
    const prior = priorOf(entity, at);
    const calls = event.op === undefined ? [] : (requests.get(event.op) ?? []);
    const call = calls.find((one) => asksFor(one, event)) ?? calls[0];
    if (call === undefined) {
      findings.add("asked", entity, `${changeWords(event)} was asked for by nobody`, event.line);
      return;
    }
    const problem = mismatch(call, event, prior);
    if (problem !== undefined) {
      findings.add("asked", entity, `${changeWords(event)} ${problem}`, call.line, event.line);
    } else checkFields(event, prior, call, findings);
  });
}

function asksFor({ operation, to }: Call, event: Logged): boolean {
  return operation === kindOf(event) && (operation !== "transition" || to === event.state);
}

function mismatch(call: Call, event: Logged, prior: Logged | undefined): string | undefined {
  if (!asksFor(call, event)) return `is a ${kindOf(event)}, but its op is of a ${callWords(call)}`;
  if (event.forced && !call.force) return `was forced, which ${callWords(call)} did not ask for`;
  const { ifVersion, ifState } = call;
  if (ifVersion !== undefined && ifVersion !== prior?.version) {
    return `was to be made of version ${ifVersion} only, and was made of ${prior?.version ?? "none"}`;
  }
  if (ifState !== undefined && ifState !== prior?.state) {
    return `was to be made in ${ifState} only, and was made in ${prior?.state ?? "none"}`;
  }
  return undefined;
}

function checkFields(event: Logged, prior: Logged | undefined, call: Call, findings: Findings): void {
  const { entity, state, fields } = event;
  const { machine } = entity;
  const kind = kindOf(event);
  const wrong = (message: string): void => {
    findings.add(
      "fields",
      entity,
      `${changeWords(event)} ${message}`,
      prior?.line ?? 0,
      call.line,
      event.line,
    );
  };
  let expected: FieldMap = changedFields(prior?.fields ?? {}, call.set, call.unset);
  if (kind === "create" || kind === "transition") {
    const stamp = machine.stampOf(state);
    if (stamp !== undefined && !Object.hasOwn(expected, stamp)) {
      expected = { ...expected, [stamp]: timeWords(event.timestamp) };
    }
  }
  const field = differingField(expected, fields);
  if (field !== undefined) {
    wrong(
      `has ${field} as ${JSON.stringify(fields[field])}, and should have ${JSON.stringify(expected[field])}`,
    );
  }
  const lacked = kind === "remove" ? undefined : machine.lackedIn(state, fields);
  if (lacked !== undefined) wrong(`lacks ${lacked}, which ${state} requires`);
}
