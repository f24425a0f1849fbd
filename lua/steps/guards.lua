-- Rejections of all scripts for an existing entity, in this order. Takes the options and the entity, leaves nothing.
if op then
  local begin = op .. ' '
  for i = 12, 20, 2 do
    if find(entity[i], begin, 1, true) == 1 then
      local done = string.match(entity[i], '^%S+ ([1-9]%d*) %d+$')
      if not done then return redis.error_reply('LAYOUT another one than this script knows') end
      call('HSET', entity_key, 'version', version) -- gives WAIT a write of this connection to wait for
      return { 'REPLAYED', snapshot(machine_key, id, entity, done) }
    end
  end
end
-- The `op` of the first attempt may be forgotten, or the first attempt may have changed an earlier entity with this id.
-- A SENT in the future shows that the clock was set back, and then says nothing about earlier changes.
if sent then
  local forgotten, removed = sub(entity[10], 3) + 0, call('HGET', machine_key, 'removed') or '0' -- 0 for never
  if not find(removed, '^%d+$') then return redis.error_reply('LAYOUT another one than this script knows') end
  local is_ahead = sent > now
  removed = (is_ahead or iso(sent) <= created) and removed + 0 or 0
  if forgotten > 0 and (is_ahead or forgotten >= sent) or removed > 0 and (is_ahead or removed >= sent) then
    return { 'FORGOTTEN', snapshot(machine_key, id, entity) }
  end
end
if if_version and if_version ~= version + 0 or if_state and if_state ~= state then
  return { 'CONFLICT', snapshot(machine_key, id, entity) }
end
