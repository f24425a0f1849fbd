import type { FieldMap } from "../../history/records.js";
import type { Call, Entity, LogEntry } from "../facts.js";
import { changedFields, differingField } from "../field-map.js";
import type { Loss } from "../loss.js";
import { isAfter, positionText } from "../position.js";
import type { Findings } from "../report.js";
import { callWords, changeWords, timeWords } from "../words.js";
import { kindOf, previousOf } from "./log.js";

/** Groups the requested changes of an entity by idempotency key. */
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

/** Checks that every change in the log was requested, its conditions held, and its fields are as requested. */
export function checkRequests(entity: Entity, requests: Requests, loss: Loss, findings: Findings): void {
  entity.events.forEach((event, at) => {
    const previous = previousOf(entity, at);
    const calls = event.op === undefined ? [] : (requests.get(event.op) ?? []);
    const call = calls.find((one) => matches(one, event)) ?? calls[0];
    if (call === undefined) {
      findings.add("requests", entity, `${changeWords(event)} was not requested`, event.line);
      return;
    }
    const mayBeLost = loss.injections.some(({ begin }) => begin <= call.until);
    const problem = mismatch(call, event, previous, mayBeLost);
    if (problem !== undefined) {
      findings.add("requests", entity, `${changeWords(event)} ${problem}`, call.line, event.line);
    } else checkFields(event, previous, call, findings);
  });
}

function matches({ operation, to }: Call, event: LogEntry): boolean {
  return operation === kindOf(event) && (operation !== "transition" || to === event.state);
}

function mismatch(
  call: Call,
  event: LogEntry,
  previous: LogEntry | undefined,
  mayBeLost: boolean,
): string | undefined {
  if (!matches(call, event))
    return `is a ${kindOf(event)}, but its idempotency key belongs to ${callWords(call)}`;
  if (event.forced && !call.force) return `was forced, but ${callWords(call)} did not request that`;
  const { ifVersion, ifState, seen } = call;
  // If changes were lost, the log may end before this position. A caller without an earlier attempt then begins anew.
  if (seen !== undefined && !mayBeLost && !isAfter(event.position, seen)) {
    return `has the position ${positionText(event.position)}, which is not after ${positionText(seen)}, which ${callWords(call)} had seen`;
  }
  if (ifVersion !== undefined && ifVersion !== previous?.version) {
    return `required version ${ifVersion}, but changed version ${previous?.version ?? "none"}`;
  }
  if (ifState !== undefined && ifState !== previous?.state) {
    return `required state ${ifState}, but changed state ${previous?.state ?? "none"}`;
  }
  return undefined;
}

function checkFields(event: LogEntry, previous: LogEntry | undefined, call: Call, findings: Findings): void {
  const { entity, state, fields } = event;
  const { machine } = entity;
  const kind = kindOf(event);
  const wrong = (message: string): void => {
    findings.add(
      "fields",
      entity,
      `${changeWords(event)} ${message}`,
      previous?.line ?? 0,
      call.line,
      event.line,
    );
  };
  // The document of a removal has no own fields.
  let expected: FieldMap =
    kind === "remove" ? {} : changedFields(previous?.fields ?? {}, call.set, call.unset);
  if (kind === "create" || kind === "transition") {
    const stamp = machine.stampOf(state);
    if (stamp !== undefined && !Object.hasOwn(expected, stamp)) {
      expected = { ...expected, [stamp]: timeWords(event.timestamp) };
    }
  }
  const field = differingField(expected, fields);
  if (field !== undefined) {
    wrong(`has ${field} as ${JSON.stringify(fields[field])} instead of ${JSON.stringify(expected[field])}`);
  }
  const missingField = kind === "remove" ? undefined : machine.missingFieldIn(state, fields);
  if (missingField !== undefined) wrong(`lacks ${missingField}, which ${state} requires`);
}
