// Makes many entities at once, as copies of others, and takes them away again.
import { idOf, keysOf, sourceOf } from "./workload.mjs";

const COPIER = `
local source_entity, source_log, _, index, due = unpack(KEYS)
local source, first, last = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local score, fires = redis.call('ZSCORE', index, source), redis.call('ZSCORE', due, source)
for i = first, last do
  local id = string.format('%s%06d', ARGV[2], i)
  redis.call('COPY', source_entity, string.sub(source_entity, 1, -#source - 1) .. id)
  redis.call('COPY', source_log, string.sub(source_log, 1, -#source - 1) .. id)
  redis.call('ZADD', index, score, id)
  if fires then redis.call('ZADD', due, fires, id) end
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

/** Makes the entities `first` to `last` of a group as copies of `source`. */
export function copyEntities(client, namespace, group, first, last, source = sourceOf(group)) {
  return client.eval(COPIER, 6, ...keysOf("create", namespace, source), source, group, first, last);
}

/** Removes such entities without leaving anything. */
export function removeEntities(client, namespace, group, first, last) {
  const source = idOf(group, 0);
  return client.eval(REMOVER, 6, ...keysOf("create", namespace, source), source, group, first, last);
}
