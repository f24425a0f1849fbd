-- Deletes an entity with its log, index entry and timer, and adds its last change to the stream. Takes `document`,
-- `keep`, `channel` and `latest`. The order is that of steps/commit.lua, for the same reasons.
call('XADD', events_key, 'MAXLEN', '~', keep, '*', 'doc', document)
call('DEL', entity_key, log_key)
call('HSET', machine_key, 'removed', latest)
call('ZREM', index_key, id)
call('ZREM', due_key, id)
call('PUBLISH', channel, document)
