-- What a call may do to the own fields. Returns the word for BADARG, or nil: a stamp is the machine's to set, and
-- at most 64 own fields of 256 KiB together may stand after the change (stamps do not count).
local function wrong_field(entity, given, stamps)
  local find, own, set = string.find, entity.own, given.SET or {}
  local count, bytes = 0, 0
  for field in pairs(given.UNSET or {}) do
    if find(stamps, ',' .. field .. ',', 1, true) then return 'field' end
  end
  for field, json in pairs(set) do
    if find(stamps, ',' .. field .. ',', 1, true) then return 'field' end
    count, bytes = count + 1, bytes + #field + #json
  end
  for i = 1, entity.size, 2 do
    if not set[own[i]] and not find(stamps, ',' .. own[i] .. ',', 1, true) then
      count, bytes = count + 1, bytes + #own[i] + #own[i + 1]
    end
  end
  if given.SET and (count > 64 or bytes > 262144) then return 'SET' end
end

-- True where a field that the state requires would be absent after the change.
local function is_missing(entity, given, required)
  local set, unset = given.SET or {}, given.UNSET or {}
  for field in string.gmatch(required, '[^,]+') do
    if not set[field] and (unset[field] or not place_of(entity, field)) then return true end
  end
  return false
end
