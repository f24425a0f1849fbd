-- KEYS entity, index, events; ARGV id, expected version or '', idempotency key or '', actor, then fields and values
local id, expected, op, actor = unpack(ARGV)
local entity = redis.call('HMGET', KEYS[1], 'state', 'version', 'op')
local state, version = entity[1], entity[2]
if not state then return { 'NOTFOUND' } end
if op ~= '' and entity[3] == op then return { 'REPLAYED', state, version } end
if expected ~= '' and expected ~= version then return { 'CONFLICT', state, version } end
version = version + 1
redis.call('HSET', KEYS[1], 'version', version, 'op', op, unpack(ARGV, 5))
local fields = {}
for i = 5, #ARGV, 2 do fields[ARGV[i]] = ARGV[i + 1] end
local event = cjson.encode({
  type = 'job.updated', id = id, state = state, version = version, fields = fields, actor = actor, op = op })
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 100000, '*', 'event', event)
redis.call('PUBLISH', 'job:events', event)
return { 'OK', event }
