-- Reads each key that only the write needs by a command of its type, so that a wrong type fails before any write. The
-- event log needs a probe in a dry run only, because XADD is the first write. Leaves the number of timers in `timers`.
if op_at == nil then call('LLEN', log_key) end -- LPOS of the judgement is a probe as well
call('ZCARD', index_key)
local timers = call('ZCARD', due_key)
if dry_run then log_end(events_key) end
