-- Applies the change to the own fields in the list `entity` from `first` to `last`, and moves `last`.
-- Takes `set` and `unset` of the options, `stamp`, `stamps` and `required` of the rule, the text `stamped` of now, and
-- `may_set_stamps` and `may_unset_stamps`. `has_limits` is false for a timer: no caller can make room when it fires.
-- Leaves the fields to write in `written`, a flat list.
local written = set or {}
if set or unset or required ~= '' then
  local function place_of(list, field, begin, finish)
    for i = begin, finish, 2 do
      if list[i] == field then return i end
    end
  end
  local unwanted, is_stamp = unset or {}, {}
  for name in string.gmatch(stamps, '[^,]+') do
    is_stamp[name] = true -- only the machine sets it
    if unwanted[name] and not may_unset_stamps
      or not may_set_stamps and place_of(written, name, 1, #written) then
      return redis.error_reply('BADARG field')
    end
  end
  local missing
  for name in string.gmatch(required, '[^,]+') do
    if name ~= stamp and not place_of(written, name, 1, #written)
      and (unwanted[name] or not place_of(entity, name, first, last)) then
      missing = { 'MISSING', snapshot(machine_key, id, entity), false }
      break
    end
  end
  for i = 1, #written, 2 do
    local place = place_of(entity, written[i], first, last)
    if not place then place, last = last + 1, last + 2 end
    entity[place], entity[place + 1] = written[i], written[i + 1]
  end
  local kept, count, bytes = first - 1, 0, 0
  for i = first, last, 2 do
    local name, json = entity[i], entity[i + 1]
    if not unwanted[name] then
      entity[kept + 1], entity[kept + 2] = name, json
      kept = kept + 2
      if not is_stamp[name] then count, bytes = count + 1, bytes + #name + #json end
    end
  end
  last = kept
  if set and has_limits and (count > 64 or bytes > 262144) then return redis.error_reply('BADARG SET') end
  if missing then return missing end
end
if stamp ~= '' then
  for i = last - 1, first, -2 do -- stamps are near the end
    if entity[i] == stamp then stamp = '' break end
  end
end
if stamp ~= '' then
  entity[last + 1], entity[last + 2] = stamp, '"' .. stamped .. '"'
  written[#written + 1] = stamp
  written[#written + 1] = entity[last + 2]
  last = last + 2
end
