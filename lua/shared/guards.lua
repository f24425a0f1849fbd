-- What a standing entity refuses in every script, in this order.
if op then
  local begin = op .. ' '
  for i = 12, 20, 2 do
    if find(entity[i], begin, 1, true) == 1 then
      call('HSET', entity_key, 'version', version) -- gives WAIT a write of this caller to wait for
      return { 'REPLAYED', snapshot(machine_key, id, entity, string.match(entity[i], ' (%d+)')) }
    end
  end
end
-- The first attempt may have been an op that is remembered no more, or have met an earlier life of the id.
if sent and (sub(entity[10], 3) + 0 >= sent
  or iso(sent) <= created and (call('HGET', machine_key, 'removed') or -1) + 0 >= sent) then
  return { 'FORGOTTEN', snapshot(machine_key, id, entity) }
end
if if_version and if_version ~= version + 0 or if_state and if_state ~= state then
  return { 'CONFLICT', snapshot(machine_key, id, entity) }
end
