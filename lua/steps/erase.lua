-- Deletes an entity with its log and its timer, and leaves a tombstone with the position of the removal: by it a late
-- copy of a call for this id is recognised. Takes `document`, `keep` and `channel`, and `position` as in commit.lua,
-- whose order this is, for the same reasons. The tombstone is the id's place in the index, so it costs no memory.
position = call('XADD', events_key, 'MAXLEN', '~', keep, position, 'doc', document)
local ms, sequence = string.match(position, '^(%d+)-(%d+)$')
ms, sequence = ms + 0, sequence + 0
if ms > 8.7e12 then -- after the year 2245, written by hand: a score cannot hold it
  ms, sequence = 8.7e12, 0
elseif sequence > 1023 then -- a score has room for 1023, so the end of the log moves to where it is exact
  ms, sequence = ms + 1, 0
  position = string.format('%.0f-0', ms)
  call('XSETID', events_key, position)
end
call('DEL', entity_key, log_key)
call('ZADD', index_key, string.format('%.0f', -(ms * 1024 + sequence)), id)
local tombstones = call('ZCOUNT', index_key, '-inf', '(0')
if tombstones > 100000 then -- the oldest come last among them
  local oldest = tombstones - 1
  local trim_from = math.max(100000, oldest - 15)
  local newest_trimmed = call('ZRANGE', index_key, trim_from, trim_from, 'WITHSCORES')[2]
  call('HSET', machine_key, 'floor', removal_position(newest_trimmed))
  call('ZREMRANGEBYRANK', index_key, trim_from, oldest)
end
call('ZREM', due_key, id)
call('PUBLISH', channel, document)
