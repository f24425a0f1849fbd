import type { HistoryRecord, Operation, Outcome } from "./records.js";

/** Thrown if a line is not a valid record, or if the records of a history contradict each other. */
export class HistoryError extends Error {
  override readonly name = "HistoryError";
}

type Check = (value: unknown) => boolean;
type Shape = Readonly<Record<string, Check>>;

const isText: Check = (value) => typeof value === "string";
const isNumber: Check = (value) => typeof value === "number" && Number.isFinite(value);
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isVersion: Check = (value) => Number.isSafeInteger(value) && (value as number) > 0;
const isTrue: Check = (value) => typeof value === "boolean";
const isAnything: Check = () => true;
const isObject: Check = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isTime: Check = (value) =>
  typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value);

const isPosition: Check = (value) => typeof value === "string" && /^\d+-\d+$/.test(value);

function oneOf(...words: readonly string[]): Check {
  const known = new Set<unknown>(words);
  return (value) => known.has(value);
}

function listOf(check: Check): Check {
  return (value) => Array.isArray(value) && value.every(check);
}

function mapOf(check: Check): Check {
  return (value) => isObject(value) && Object.values(value as object).every(check);
}

/** Checks an object with exactly these fields. Those of `optional` may be absent. */
function exactly(needed: Shape, optional: Shape = {}): Check {
  return (value) =>
    isObject(value) && problemOf(value as Record<string, unknown>, needed, optional) === undefined;
}

function problemOf(value: Record<string, unknown>, needed: Shape, optional: Shape): string | undefined {
  let found = 0;
  for (const field in value) {
    const check = Object.hasOwn(needed, field) ? needed[field] : undefined;
    if (check !== undefined) found += 1;
    const either = check ?? (Object.hasOwn(optional, field) ? optional[field] : undefined);
    if (either === undefined) return `unknown field "${field}"`;
    if (!either(value[field])) return `malformed field "${field}"`;
  }
  if (found === Object.keys(needed).length) return undefined;
  return `missing field "${Object.keys(needed).find((field) => !Object.hasOwn(value, field))}"`;
}

const OPERATIONS: readonly Operation[] = ["create", "transition", "patch", "remove", "get"];
const OUTCOMES: readonly Outcome[] = [
  ...(["OK", "REPLAYED", "NOTDURABLE", "EXISTS", "ILLEGAL", "CONFLICT", "MISSING"] as const),
  ...(["FORGOTTEN", "NOTFOUND", "EXPIRED", "NOTEXECUTED", "UNKNOWN", "ERROR"] as const),
];
const DURABILITIES = ["memory", "fsync", "replicas"];

const isObserved = exactly(
  {
    state: isText,
    version: isVersion,
    timestamp: isTime,
    since: isTime,
    createdAt: isTime,
    fields: isObject,
  },
  { dueAt: isTime, opVersion: isVersion },
);
const isLoss = exactly(
  { fault: isText, windowMs: (value) => value === null || isNumber(value) },
  { spares: listOf(oneOf(...DURABILITIES)) },
);
const isMachine: Check = (value) =>
  isObject(value) &&
  isText(Reflect.get(value as object, "name")) &&
  isText(Reflect.get(value as object, "initial")) &&
  mapOf(isObject)(Reflect.get(value as object, "states")) &&
  isVersion(Reflect.get(value as object, "history"));

const kind = isText;
const call = { kind, process: isText, number: isCount, at: isNumber };
const follower = { kind, follower: isText, at: isNumber };
const entity = { kind, machine: isText, id: isText };
const change = { id: isText, createdAt: isTime, version: isVersion, timestamp: isTime, type: isText };
const isEnd = oneOf("lost", "closed", "changed");

const SHAPES = new Map<unknown, readonly [needed: Shape, optional: Shape]>([
  [
    "run",
    [
      {
        kind,
        format: (value) => value === 2,
        seed: isNumber,
        topology: isText,
        command: isText,
        startedAt: isTime,
        machines: listOf(isMachine),
        loss: listOf(isLoss),
      },
      {
        clocks: listOf(isText),
        reactions: listOf(exactly({ name: isText, deadLetterAfter: isVersion })),
      },
    ],
  ],
  [
    "call",
    [
      { ...call, operation: oneOf(...OPERATIONS), machine: isText, id: isText },
      {
        to: isText,
        set: isObject,
        unset: listOf(isText),
        ifVersion: isCount,
        ifState: isText,
        force: isTrue,
        op: isText,
        seen: isPosition,
        notAfter: isCount,
        durability: oneOf(...DURABILITIES),
      },
    ],
  ],
  ["copy", [{ ...call, machine: isText, id: isText, op: isText }, { notAfter: isCount }]],
  [
    "return",
    [
      { ...call, outcome: oneOf(...OUTCOMES) },
      { document: isObserved, position: isPosition, error: isText },
    ],
  ],
  ["resolved", [{ ...call, outcome: oneOf("DONE", "NOTDONE", "FORGOTTEN") }, { version: isVersion }]],
  ["fault-begin", [{ kind, number: isCount, name: isText, at: isNumber }, { details: isAnything }]],
  ["fault-end", [{ kind, number: isCount, at: isNumber }, { details: isAnything }]],
  ["follow", [{ ...follower, machine: isText, after: isText }, {}]],
  ["event", [{ ...follower, cursor: isText, document: isObject }, {}]],
  ["gap", [{ ...follower, cursor: isText }, {}]],
  ["followed", [follower, {}]],
  ["final-entity", [{ ...entity, hash: mapOf(isText) }, {}]],
  ["final-index", [{ ...entity, score: isNumber }, {}]],
  ["final-due", [{ ...entity, score: isNumber }, {}]],
  ["final-log", [{ ...entity, elements: listOf(isText) }, {}]],
  ["final-floor", [{ kind, machine: isText, partition: isCount, floor: isPosition }, {}]],
  ["final-event", [{ kind, machine: isText, partition: isCount, entry: isText, document: isText }, {}]],
  [
    "renewal",
    [
      { kind, process: isText, id: isText, since: isTime, version: isVersion, at: isNumber, until: isNumber },
      {},
    ],
  ],
  [
    "held",
    [
      { kind, process: isText, id: isText, since: isTime, at: isNumber, until: isNumber, ended: isEnd },
      { why: isText },
    ],
  ],
  ["fired", [{ kind, process: isText, at: isNumber, ...change }, {}]],
  [
    "handled",
    [
      {
        kind,
        process: isText,
        at: isNumber,
        ...change,
        attempt: isVersion,
        step: oneOf("begun", "done", "failed"),
      },
      {},
    ],
  ],
  ["clock", [{ kind, least: isNumber, most: isNumber }, {}]],
  ["swept", [{ kind, at: isNumber, untilMs: isNumber, stuck: listOf(isText) }, {}]],
  [
    "dead-letter",
    [
      {
        kind,
        reaction: isText,
        document: (value) => value === null || isText(value),
        tries: isCount,
        error: isText,
      },
      {},
    ],
  ],
  ["end", [{ kind, at: isNumber }, {}]],
]);

/**
 * Parses one line.
 *
 * @throws HistoryError if it is not JSON, has an unknown kind, or has an unknown, missing or malformed field.
 */
export function parseRecord(line: string): HistoryRecord {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new HistoryError("is not JSON");
  }
  if (!isObject(value)) throw new HistoryError("is not an object");
  const record = value as Record<string, unknown>;
  const shape = SHAPES.get(record.kind);
  if (shape === undefined) throw new HistoryError(`has an unknown kind (${JSON.stringify(record.kind)})`);
  const problem = problemOf(record, ...shape);
  if (problem !== undefined)
    throw new HistoryError(`is not a valid record of kind ${record.kind}: ${problem}`);
  return value as HistoryRecord;
}
