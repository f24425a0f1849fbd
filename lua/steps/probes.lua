-- Reads each key that only the write needs by a command of its type, so that a wrong type fails before any write. The
-- event log needs no probe, because XADD is the first write. Leaves in `timers` how many timers there are.
if op_at == nil then call('LLEN', log_key) end -- LPOS of the judgement is a probe as well
call('ZCARD', index_key)
local timers = call('ZCARD', due_key)
