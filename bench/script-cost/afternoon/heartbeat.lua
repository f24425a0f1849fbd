-- KEYS entity, due; ARGV id, expected version or ''
local LEASES = { leased = 60000 }
local id, expected = unpack(ARGV)
local entity = redis.call('HMGET', KEYS[1], 'state', 'version')
local state, version = entity[1], entity[2]
if not state then return { 'NOTFOUND' } end
if expected ~= '' and expected ~= version then return { 'CONFLICT', state, version } end
if not LEASES[state] then return { 'ILLEGAL', state, version } end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'renewed', now)
redis.call('ZADD', KEYS[2], now + LEASES[state], id)
return { 'OK', state, version }
