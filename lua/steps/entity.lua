-- Reads the entity's hash. Leaves
--   entity               flat list of fields and values, always in the order below; {} if there is no entity
--   unknown              true if the hash is damaged or not an entity; then `entity` is {}
--   first, last          the positions of the first and the last own field in the list
--   state, version, created  texts, nil if there is no entity
-- The values of internal fields: at 8 since (ms); at 10 the slot for the next op, and the time (ms) of the newest
-- forgotten op; at 12, 14, 16, 18 and 20 the five remembered ops, each "op version ms" or ''; at 24 the time (ms) of
-- the last renewal of a lease, in this state or an earlier one, '' for never.
local entity, unknown = call('HGETALL', entity_key), false
-- A small hash keeps the order in which create wrote it. A large one has no order, so it is sorted here.
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
-- Checks every value that is used in arithmetic or in a document. At most 13 digits: Lua writes 15 digits as 1e+14.
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
