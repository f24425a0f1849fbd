// The measured calls: entities with five own fields and a full log of 16; each call has `OP`, `ACTOR` and `NOTAFTER`.

const NEVER = "9999999999999";
const STAYING = [
  ...["SET", "taskId", '"t-1234567"', "SET", "host", '"node-17"', "SET", "image", '"registry/app:1.2.3"'],
  ...["SET", "retries", "3", "SET", "meta", '{"a":[1,2,3],"b":true}'],
];

/** The six keys of an entity of the machine `job`, or the two that apply takes. */
export function keysOf(operation, namespace, id) {
  const prefix = `{${namespace}:0}:job:`;
  if (operation === "apply") return [`${prefix}machine`, `${prefix}index`];
  const ofMachine = ["machine", "index", "due", "events"].map((name) => prefix + name);
  return [`${prefix}id:${id}`, `${prefix}log:${id}`, ...ofMachine];
}

/** The arguments of a call; `turn` counts the calls that an entity has had, or the versions of the machine. */
export function argsOf(operation, id, turn) {
  const options = ["OP", `${operation}-${turn}`, "ACTOR", "replica-3", "NOTAFTER", NEVER];
  switch (operation) {
    case "create":
      return [id, ...STAYING, ...options];
    case "transition":
      return [id, turn % 2 === 0 ? "busy" : "idle", ...options];
    case "patch":
      return [id, "SET", "retries", String(turn % 10), ...options];
    case "remove":
      return [id, ...options];
    case "heartbeat":
      return [id, "IFVERSION", String(LEASED_VERSION), "NOTAFTER", NEVER];
    case "expire":
      return [id];
    case "apply":
      return [definition(turn + 1)];
    default:
      throw new Error(`bench/script-cost does not call ${operation} yet.`);
  }
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

/** Number of changes that fill an entity's log and its idempotency keys, with a reserve. It is idle afterwards. */
export const WARM_UP = 18;

/** The version of every entity that is leased: created, warmed up, patched and leased. */
const LEASED_VERSION = WARM_UP + 3;

const COPIER = `
local source_entity, source_log, _, index, due = unpack(KEYS)
local source, first, last = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local score = redis.call('ZSCORE', index, source)
for i = first, last do
  local id = string.format('%s%06d', ARGV[2], i)
  redis.call('COPY', source_entity, string.sub(source_entity, 1, -#source - 1) .. id)
  redis.call('COPY', source_log, string.sub(source_log, 1, -#source - 1) .. id)
  redis.call('ZADD', index, score, id)
  if ARGV[5] == 'due' then redis.call('ZADD', due, 1, id) end
end`;

const REMOVER = `
local source_entity, source_log, _, index, due = unpack(KEYS)
local source, first, last = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
for i = first, last do
  local id = string.format('%s%06d', ARGV[2], i)
  redis.call('DEL', string.sub(source_entity, 1, -#source - 1) .. id, string.sub(source_log, 1, -#source - 1) .. id)
  redis.call('ZREM', index, id)
  redis.call('ZREM', due, id)
end`;

/** The entity that those of a group are copies of. */
const SOURCES = { h: "s000001", x: "s000002" };
const sourceOf = (group) => SOURCES[group] ?? "e000000";

/** The id of entity number `i` of a group, a letter. All ids are equally long. */
export const idOf = (group, i) => group + String(i).padStart(6, "0");

/** Makes the entities `first` to `last` of a group, as copies of its source. Only the groups with timers are in due. */
export function copyEntities(client, namespace, group, first, last) {
  const source = sourceOf(group);
  const timed = SOURCES[group] === undefined ? "" : "due";
  return client.eval(COPIER, 6, ...keysOf("create", namespace, source), source, group, first, last, timed);
}

/** Takes such entities away again. */
export function removeEntities(client, namespace, group, first, last) {
  const source = sourceOf(group);
  return client.eval(REMOVER, 6, ...keysOf("create", namespace, source), source, group, first, last);
}

/** Makes the sources of the groups with a lease, and of those whose timeout of entity e0 has expired. */
export async function makeSources(client, transition, namespace) {
  await copyEntities(client, namespace, "s", 1, 2);
  for (const [group, state] of [
    ["h", "leased"],
    ["x", "late"],
  ]) {
    const id = sourceOf(group);
    const keys = keysOf("create", namespace, id);
    const [outcome] = await client.eval(transition, 6, ...keys, id, state, "FORCE", "REASON", "bench");
    if (outcome !== "OK") throw new Error(`transition was rejected: ${outcome}`);
    if (state === "late") await client.hset(keys[0], "since", "1");
    await client.zrem(keys[4], id); // whose presence would make every change look for its own
  }
}
