-- Reads the entity's hash. Leaves
--   entity                      flat list of fields and values, always in the order below; {} if there is no entity
--   is_damaged                  true if the hash is damaged or not an entity; then `entity` is {}
--   first, last                 the positions of the first and the last own field in the list
--   state, version, created     texts, nil if there is no entity
--   changed, entered, renewed   ms of the last change, of entering the state and of the last heartbeat in this stay
--                               (0 for none); all 0 if there is no entity
--   stay                        the last two as text, as they follow the first
-- At 10 is the newest position that the entity has forgotten: of an idempotency key, or of the end of its earlier life.
local entity, is_damaged = call('HGETALL', entity_key), false
local changed, entered, renewed, stay = 0, 0, 0, ''
-- A small hash keeps the order in which create wrote it. A large one has no order, so it is sorted here.
if entity[1] and not (entity[1] == 'state' and entity[3] == 'version' and entity[5] == 'times:ms'
  and entity[7] == 'created' and entity[9] == 'ops:forgot') then
  local place = { state = 1, version = 3, ['times:ms'] = 5, created = 7, ['ops:forgot'] = 9 }
  local ordered, size = { '', '', '', '', '', '', '', '', '', '' }, 10
  for i = 1, #entity, 2 do
    local field = entity[i]
    local at = place[field]
    if not at then at, size = size + 1, size + 2 end
    ordered[at], ordered[at + 1] = field, entity[i + 1]
  end
  entity = ordered
end
-- Checks every value that is used in arithmetic or in a document. At most 13 digits: Lua writes 15 digits as 1e+14.
if entity[1] then
  changed, entered, renewed = string.match(entity[6], '^(%d+) (%d+) (%d+)$')
  if changed and #changed <= 13 and #entered <= 13 and #renewed <= 13 and find(entity[2], '^%l[%w_-]*$')
    and find(entity[4], '^[1-9]%d*$') and #entity[4] <= 13 and #entity[8] == 24
    and find(entity[8], '^%d[%dT:.-]+Z$') then
    stay = sub(entity[6], #changed + 1)
    changed, entered, renewed = changed + 0, entered + 0, renewed + 0
  else
    entity, is_damaged, changed, entered, renewed = {}, true, 0, 0, 0
  end
end
local first, last = entity[1] and 11 or 1, #entity
local state, version, created = entity[2], entity[4], entity[8]
