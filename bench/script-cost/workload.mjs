// The calls that are measured: entities of five own fields and a full log of 16, every call with OP, ACTOR, NOTAFTER.

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
    case "apply":
      return [definition(turn + 1)];
    default:
      throw new Error(`bench/script-cost does not call ${operation} yet.`);
  }
}

function definition(version) {
  const states = { idle: { to: ["busy"] }, busy: { to: ["idle"], stamp: "startedAt" } };
  return JSON.stringify({ name: "job", version, initial: "idle", states });
}

/** How many changes fill an entity's log and its memory of ops, with some to spare; it is idle afterwards. */
export const WARM_UP = 18;

const COPIER = `
local source_entity, source_log, _, index = unpack(KEYS)
local source, first, last = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local score = redis.call('ZSCORE', index, source)
for i = first, last do
  local id = string.format('%s%06d', ARGV[2], i)
  redis.call('COPY', source_entity, string.sub(source_entity, 1, -#source - 1) .. id)
  redis.call('COPY', source_log, string.sub(source_log, 1, -#source - 1) .. id)
  redis.call('ZADD', index, score, id)
end`;

const REMOVER = `
local source_entity, source_log, _, index = unpack(KEYS)
local source, first, last = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
for i = first, last do
  local id = string.format('%s%06d', ARGV[2], i)
  redis.call('DEL', string.sub(source_entity, 1, -#source - 1) .. id, string.sub(source_log, 1, -#source - 1) .. id)
  redis.call('ZREM', index, id)
end`;

const SOURCE = "e000000";

/** The id of entity number `i` of a group, a letter. All ids are equally long. */
export const idOf = (group, i) => group + String(i).padStart(6, "0");

/** Makes the entities `first` to `last` of a group, as copies of entity e0. */
export function copyEntities(client, namespace, group, first, last) {
  return client.eval(COPIER, 6, ...keysOf("create", namespace, SOURCE), SOURCE, group, first, last);
}

/** Takes such entities away again. */
export function removeEntities(client, namespace, group, first, last) {
  return client.eval(REMOVER, 6, ...keysOf("create", namespace, SOURCE), SOURCE, group, first, last);
}
