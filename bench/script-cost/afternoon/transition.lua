-- KEYS entity, index, events; ARGV id, target, expected version or '', idempotency key or '', actor
local STATES = { idle = { ordinal = 0, to = { busy = true } }, busy = { ordinal = 1, to = { idle = true } } }
local id, to, expected, op, actor = unpack(ARGV)
local entity = redis.call('HMGET', KEYS[1], 'state', 'version', 'op')
local state, version = entity[1], entity[2]
if not state then return { 'NOTFOUND' } end
if op ~= '' and entity[3] == op then return { 'REPLAYED', state, version } end
if expected ~= '' and expected ~= version then return { 'CONFLICT', state, version } end
if not STATES[state] or not STATES[state].to[to] then return { 'ILLEGAL', state, version } end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
version = version + 1
redis.call('HSET', KEYS[1], 'state', to, 'version', version, 'since', now, 'op', op)
redis.call('ZADD', KEYS[2], STATES[to].ordinal * 1e13 + now, id)
local event = cjson.encode({
  type = 'job.' .. to, id = id, from = state, state = to, version = version, since = now, actor = actor, op = op })
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 100000, '*', 'event', event)
redis.call('PUBLISH', 'job:events', event)
return { 'OK', event }
