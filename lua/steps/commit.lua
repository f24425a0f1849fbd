-- Writes the change of an operation. Takes `document`, `to`, `next_version`, `since`, `ops`, `slot`, `remembered`,
-- `written` and `unset`, and `score`, `timer`, `called_off` and `is_full`, which are nil if there is nothing to write.
-- The stream comes first, because only XADD can still fail (no stream id is left, or the user lacks the permission):
-- then nothing is written. Nothing after it can fail, because types and permissions were checked before.
call('XADD', events_key, 'MAXLEN', '~', keep, '*', 'doc', document)
call('HSET', entity_key, 'state', to, 'version', next_version, 'at', at, 'since', since, 'ops', ops, slot, remembered,
  unpack(written))
if unset then
  for field in pairs(unset) do call('HDEL', entity_key, field) end
end
if score then call('ZADD', index_key, score, id) end
if timer then call('ZADD', due_key, timer, id) end
if called_off then call('ZREM', due_key, id) end
call('RPUSH', log_key, document)
if is_full then call('LTRIM', log_key, trim, '-1') end
call('PUBLISH', channel, document)
