-- KEYS entity, index, events; ARGV id, idempotency key or '', actor, then own fields and their values
local id, op, actor = unpack(ARGV)
local entity = redis.call('HMGET', KEYS[1], 'state', 'version', 'op')
if entity[1] then return { op ~= '' and entity[3] == op and 'REPLAYED' or 'EXISTS', entity[1], entity[2] } end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'state', 'idle', 'version', 1, 'since', now, 'created', now, 'op', op, unpack(ARGV, 4))
redis.call('ZADD', KEYS[2], now, id)
local event = cjson.encode({
  type = 'job.created', id = id, state = 'idle', version = 1, since = now, actor = actor, op = op })
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 100000, '*', 'event', event)
redis.call('PUBLISH', 'job:events', event)
return { 'OK', event }
