-- Writes the change that its operation planned: `document`, `to`, `next_version`, `since`, `ops`, `slot`,
-- `remembered`, `written`, `unset`; nil where nothing is to do: `score`, `timer`, `called_off`, `is_full`. The
-- stream comes first, because it alone may still refuse (it has no id left, or the user lacks the right):
-- nothing is written then. After that nothing can fail, for it was read or asked before.
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
