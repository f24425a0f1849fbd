// The measured calls: entities with five own fields and full logs, which belong to the machine `job`.

const NEVER = "9999999999999";
const OWN_FIELDS = ["taskId", '"t-1234567"', "host", '"node-17"', "retries", "3"];
const MORE_FIELDS = ["image", '"registry/app:1.2.3"', "meta", '{"a":[1,2,3],"b":true}'];
const LARGE_VALUE = ["note", `"${"x".repeat(100)}"`];

/** Number of changes that fill an entity's log, and the changes that it remembers. An even number: it is idle after. */
export const WARM_UP = 34;

/** The groups of entities, named by a letter that begins their ids. Those with a source are copies of it. */
const SOURCES = { e: "s000000", p: "s000000", r: "s000000", h: "s000001", x: "s000002", v: "s000003" };
/** The groups whose entities exist throughout; the others are made for each batch. */
export const LASTING = ["e", "p", "v"];
export const sourceOf = (group) => SOURCES[group];

/** Returns the id of entity number `i` of a group. All ids are equally long. */
export const idOf = (group, i) => group + String(i).padStart(6, "0");

/**
 * The measured cases: an operation, its outcome, the group it works on, and whether it has an idempotency key. Only a
 * case with `afternoon` is compared with a script of that name.
 */
export const CASES = [
  { operation: "transition", group: "p", afternoon: true },
  { operation: "transition", group: "e", op: true, afternoon: true },
  { operation: "transition", group: "v", op: true, note: ", a value over 64 bytes" },
  ...rejected("transition", "ILLEGAL", "CONFLICT", "NOTFOUND"),
  { operation: "create", group: "c", afternoon: true },
  { operation: "create", group: "c", op: true, afternoon: true },
  ...rejected("create", "EXISTS"),
  { operation: "patch", group: "e", afternoon: true },
  { operation: "patch", group: "e", op: true, afternoon: true },
  ...rejected("patch", "CONFLICT", "NOTFOUND"),
  { operation: "heartbeat", group: "h", afternoon: true },
  ...rejected("heartbeat", "CONFLICT", "NOTFOUND", "ILLEGAL").filter(({ op }) => !op),
  { operation: "remove", group: "r" },
  { operation: "remove", group: "r", op: true },
  { operation: "expire", group: "x" },
  { operation: "apply", group: "e" },
  { operation: "restore", group: "c", op: true },
  { operation: "get", group: "h" },
].map((measured) => ({ outcome: "OK", op: false, ...measured, name: nameOf(measured) }));

function rejected(operation, ...outcomes) {
  return outcomes.flatMap((outcome) =>
    [false, true].map((op) => ({
      operation,
      outcome,
      op,
      group: outcome === "NOTFOUND" ? "z" : "e",
      afternoon: true,
    })),
  );
}

function nameOf({ operation, outcome = "", op = false, note = "" }) {
  return `${operation}${outcome && ` → ${outcome}`}${op ? ", OP" : ""}${note}`;
}

/** Returns the six keys of an entity, or those that apply takes. */
export function keysOf(operation, namespace, id) {
  const prefix = `{${namespace}:0}:job:`;
  const [machine, index, due, events] = ["machine", "index", "due", "events"].map((name) => prefix + name);
  if (operation === "apply") return [machine, index, `{${namespace}:0}:machines`];
  return [`${prefix}id:${id}`, `${prefix}log:${id}`, machine, index, due, events];
}

/** Returns the arguments of a call. `turn` counts an entity's calls, or the versions of the machine. */
export function argsOf({ operation, outcome = "OK", op }, id, turn, seen) {
  const key = ["OP", opOf(operation, outcome, turn), "SEEN", seen];
  const expected = outcome === "CONFLICT" ? ["IFVERSION", "1"] : [];
  const options = [...expected, ...(op ? key : []), "ACTOR", "replica-3", "NOTAFTER", NEVER];
  switch (operation) {
    case "create":
      return [id, ...sets([...OWN_FIELDS, ...MORE_FIELDS]), ...options];
    case "transition":
      return [id, outcome === "ILLEGAL" ? "late" : stateAt(turn), ...options];
    case "patch":
      return [id, "SET", "retries", String(turn % 10), ...options];
    case "remove":
      return [id, ...options];
    case "heartbeat":
      return [id, ...(outcome === "OK" ? ["IFVERSION", LEASED_VERSION] : expected), "NOTAFTER", NEVER];
    case "expire":
    case "get":
      return [id];
    case "restore":
      return [id, "busy", "9", "1700000000000", "1700000000001", ...sets(OWN_FIELDS), ...options];
    case "apply":
      return [definition(turn)];
    default:
      throw new Error(`bench/script-cost does not call ${operation} yet.`);
  }
}

/** Returns the arguments of the same call of the script in `afternoon/`. */
export function afternoonArgsOf({ operation, outcome = "OK", op }, id, turn) {
  const key = op ? opOf(operation, outcome, turn) : "";
  const expected = outcome === "CONFLICT" ? "1" : "";
  switch (operation) {
    case "create":
      return [id, key, "replica-3", ...OWN_FIELDS, ...MORE_FIELDS];
    case "transition":
      return [id, outcome === "ILLEGAL" ? "late" : stateAt(turn), expected, key, "replica-3"];
    case "patch":
      return [id, expected, key, "replica-3", "retries", String(turn % 10)];
    default:
      return [id, outcome === "OK" ? LEASED_VERSION : expected];
  }
}

/** Returns the keys that the script in `afternoon/` takes, of those that keysOf returns. */
export function afternoonKeysOf(operation, namespace, id) {
  const [entity, , , index, due, events] = keysOf(operation, namespace, id);
  return operation === "heartbeat" ? [entity, due] : [entity, index, events];
}

/** Returns the arguments that set three own fields, as for the memory of an entity. */
export const threeFields = (id, ...options) => [id, ...sets(OWN_FIELDS), ...options];
/** Returns the arguments that set a value that no small hash can hold. */
export const largeValue = (id) => [id, ...sets(LARGE_VALUE)];

/** Returns an idempotency key that the entity has not seen, also if the call is rejected. */
const opOf = (operation, outcome, turn) => `${outcome === "OK" ? operation : outcome}-${turn}`;

const stateAt = (turn) => (turn % 2 === 0 ? "busy" : "idle");

/** The version of every entity that is leased: created, warmed up, then leased. */
const LEASED_VERSION = String(WARM_UP + 2);

function sets(fields) {
  return fields.flatMap((text, i) => (i % 2 === 0 ? ["SET", text] : [text]));
}

function definition(version) {
  const states = {
    idle: { to: ["busy"] },
    busy: { to: ["idle"], stamp: "startedAt" },
    leased: { to: ["idle"], lease: { for: 60_000, to: "idle" }, timeout: { after: 3_600_000, to: "idle" } },
    late: { to: ["idle"], timeout: { after: 1000, to: "idle", set: { error: '"too late"' } } },
  };
  return JSON.stringify({ name: "job", version, initial: "idle", states });
}
