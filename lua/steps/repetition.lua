-- Rejects a call that was made before, or that cannot be decided any more, or that comes too late.
-- Takes the options, the entity, `time`, and `op_at`, the place of `op` in the entity's log or nil. Leaves nothing.
if op_at then
  local record = op_at > 0 and call('LINDEX', log_key, op_at - 1) or ''
  local done = string.match(record, '^{"position":"[%d-]+","type":"[^"]*","from":[^,]*,"state":"[^"]*","version":(%d+)')
  if not done then return redis.error_reply(LAYOUT) end
  if not dry_run then call('HSET', entity_key, 'version', version) end -- a write that WAIT can wait for
  return { 'REPLAYED', snapshot(machine_key, id, entity, ',"opVersion":' .. done), false }
end
if op then
  local forgot = entity[10]
  if not state then -- an earlier entity of this id: its tombstone, or the newest one that was trimmed
    local floor = call('HGET', machine_key, 'floor')
    forgot = removal_position(call('ZSCORE', index_key, id)) or floor or '0-0'
  end
  local forgot_ms = string.match(forgot, '^(%d+)-%d+$')
  if not forgot_ms then return redis.error_reply(LAYOUT) end
  local is_forgotten = forgot_ms + 0 >= seen_ms and is_after(forgot, seen)
  -- A new position is greater than SEEN anyway if the clock is, so the end of the log matters only if it is not.
  if not is_forgotten and seen_ms >= time then is_forgotten = is_after(seen, log_end(events_key)) end
  if is_forgotten then
    local position = log_end(events_key)
    -- The log may be younger than the machine's fence, or was deleted.
    if is_after(forgot, position) then position = forgot end
    return { 'FORGOTTEN', snapshot(machine_key, id, entity), position }
  end
end
if not_after and time > not_after then return { 'EXPIRED', snapshot(machine_key, id, entity), false } end
