-- Reads an entity's hash. Returns nil where there is none, false where the hash is not one of ours, else a table:
--   state, created  text; version, at (ms of the last change) as numbers; since (ms) as text
--   own, size       the caller's fields as a flat list: field, JSON, field, JSON; its length
--   op:0 .. op:4    the remembered ops, "at version op" each; '' for none yet
--   ops             the slot where the next op goes, then the ms of the newest op that is remembered no more
local function read_entity(key)
  local flat = redis.call('HGETALL', key)
  local length, size = #flat, 0
  if length == 0 then return nil end
  local entity = { state = false, version = false, at = false, since = false, created = false, ops = false,
    ['op:0'] = '', ['op:1'] = '', ['op:2'] = '', ['op:3'] = '', ['op:4'] = '' }
  for i = 1, length, 2 do
    local field, value = flat[i], flat[i + 1]
    if entity[field] ~= nil then
      entity[field] = value
    else -- own fields move up to the front of the list
      flat[size + 1], flat[size + 2] = field, value
      size = size + 2
    end
  end
  if not (entity.state and entity.created and entity.version and entity.at and entity.since and entity.ops) then
    return false
  end
  entity.version, entity.at, entity.own, entity.size = entity.version + 0, entity.at + 0, flat, size
  return entity
end

-- The place of an own field in the flat list, or nil.
local function place_of(entity, field)
  local own = entity.own
  for i = 1, entity.size, 2 do
    if own[i] == field then return i end
  end
end
