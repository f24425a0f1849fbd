-- True where an entity of this machine was removed at or after `sent` (ms).
local function removed_since(machine_key, sent)
  local removed = redis.call('HGET', machine_key, 'removed')
  return removed and tonumber(removed) >= sent
end

-- The refusals that every script shares, in their order. Returns the reply, or nil to go on.
local function guard(entity_key, machine_key, id, entity, given, now)
  if given.NOTAFTER and now > given.NOTAFTER then return { 'EXPIRED', snapshot(machine_key, id, entity) } end
  if not entity then return { 'NOTFOUND', false } end
  if given.OP then
    local ring = ',' .. entity['op:0'] .. ',' .. entity['op:1'] .. ',' .. entity['op:2'] .. ',' .. entity['op:3'] .. ','
      .. entity['op:4'] .. ','
    local found = string.find(ring, ' ' .. given.OP .. ',', 1, true)
    if found then
      redis.call('HSET', entity_key, 'version', entity.version) -- gives WAIT a write of this caller to wait for
      return { 'REPLAYED', snapshot(machine_key, id, entity, string.match(string.sub(ring, 1, found - 1), '%d+$')) }
    end
  end
  -- The first attempt may have been an op that is remembered no more, or have met an earlier life of the id.
  local sent = given.SENT
  if sent and (string.sub(entity.ops, 3) + 0 >= sent or iso(sent) <= entity.created and removed_since(machine_key, sent)) then
    return { 'FORGOTTEN', snapshot(machine_key, id, entity) }
  end
  if given.IFVERSION and given.IFVERSION ~= entity.version or given.IFSTATE and given.IFSTATE ~= entity.state then
    return { 'CONFLICT', snapshot(machine_key, id, entity) }
  end
end
