-- Writes the change. Takes what change.lua left, `keep`, `channel`, `log_size`, `to`, `next_version`, the text `times`,
-- `written`, `unset`, `score`, its new place in the index or nil, and `timer`, the end of its first timer in ms, or
-- `called_off`. `position` is `*`, or the one to take; commit leaves the one that the change has.
-- XADD is first, because it alone may still fail: its key may have another type, or hold the greatest ID. PUBLISH is
-- last, because nobody may learn of a change that is not written.
position = call('XADD', events_key, 'MAXLEN', '~', keep, position, 'doc', document)
local record = '{"position":"' .. position .. '","type":"' .. event .. '"' .. core .. why .. forced .. effect .. '}'
local excess = call('RPUSH', log_key, record, op or '') - log_size
if excess >= 16 then -- eight changes at once, because each LPOP moves the whole list
  local trimmed = call('LPOP', log_key, excess > 64 and 64 or excess)
  for i = #trimmed, 2, -2 do
    if trimmed[i] ~= '' then -- the newest op that is forgotten
      written[#written + 1] = 'ops:forgot'
      written[#written + 1] = string.match(trimmed[i - 1], '^{"position":"(%d+%-%d+)"') or position
      break
    end
  end
end
if unset then call('HDEL', entity_key, unpack(unset)) end
call('HSET', entity_key, 'state', to, 'version', next_version, 'times:ms', times, unpack(written))
if score then call('ZADD', index_key, score, id) end
if timer then call('ZADD', due_key, timer, id) elseif called_off then call('ZREM', due_key, id) end
call('PUBLISH', channel, document)
