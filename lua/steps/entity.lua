-- Reads the entity's hash. Leaves
--   entity               a flat list, field and value by turns, always in this order: see below; {} for none
--   unknown              true where the hash is not one of ours, or was damaged; `entity` is {} then
--   first, last          where the caller's own fields begin and end in it
--   state, version, created  texts, nil for none
-- Among those before the own fields: since (ms) at 8; at 10 the slot where the next op goes and the ms of the newest
-- op that is remembered no more; at 12, 14, 16, 18, 20 the five that are, each "op version ms" or ''; at 24 when the
-- lease was last renewed (ms), in this state or in one before, '' for never.
local entity, unknown = call('HGETALL', entity_key), false
-- A small hash stays in the order in which create wrote it; a big one has no order, and is put into that one here.
if entity[1] and not (entity[1] == 'state' and entity[3] == 'version' and entity[5] == 'at' and entity[7] == 'since'
  and entity[9] == 'ops' and entity[11] == 'op:0' and entity[13] == 'op:1' and entity[15] == 'op:2'
  and entity[17] == 'op:3' and entity[19] == 'op:4' and entity[21] == 'created' and entity[23] == 'lease:at') then
  local value_of, ordered = {}, {}
  for i = 1, #entity, 2 do value_of[entity[i]] = entity[i + 1] end
  for field in string.gmatch('state version at since ops op:0 op:1 op:2 op:3 op:4 created lease:at', '%S+') do
    unknown = unknown or not value_of[field]
    ordered[#ordered + 1] = field
    ordered[#ordered + 1] = value_of[field] or ''
    value_of[field] = nil
  end
  for i = 1, #entity, 2 do
    if value_of[entity[i]] then
      ordered[#ordered + 1] = entity[i]
      ordered[#ordered + 1] = entity[i + 1]
    end
  end
  entity = ordered
end
-- Every part that arithmetic or a document takes as it is. At most 13 digits: Lua writes 15 as 1e+14.
if entity[1] and not (find(entity[2], '^%l[%w_-]*$') and find(entity[4], '^[1-9]%d*$') and #entity[4] <= 13
  and find(entity[6], '^%d+$') and #entity[6] <= 13
  and (entity[8] == entity[6] or find(entity[8], '^%d+$') and #entity[8] <= 13)
  and find(entity[10], '^[0-4] %d+$') and #entity[10] <= 15 and #entity[22] == 24
  and find(entity[22], '^%d[%dT:.-]+Z$')
  and (entity[24] == '' or find(entity[24], '^%d+$') and #entity[24] <= 13)) then
  unknown = true
end
if unknown then entity = {} end
local first, last = entity[1] and 25 or 1, #entity
local state, version, created = entity[2], entity[4], entity[22]
