-- Returns the own fields as the tail of a document. The server hashes every byte of every string that it creates, so
-- few fields are joined three at a time, and many by one table.concat: repeated joining would take quadratic time.
local function own_text(own, first, last)
  local text, i = '', first
  if last - first > 24 then
    local parts, size = {}, 0
    while i < last do
      parts[size + 1], parts[size + 2], parts[size + 3], parts[size + 4] = ',"', own[i], '":', own[i + 1]
      size, i = size + 4, i + 2
    end
    return table.concat(parts)
  end
  while i + 4 < last do
    text = text .. ',"' .. own[i] .. '":' .. own[i + 1] .. ',"' .. own[i + 2] .. '":' .. own[i + 3]
      .. ',"' .. own[i + 4] .. '":' .. own[i + 5]
    i = i + 6
  end
  while i < last do
    text = text .. ',"' .. own[i] .. '":' .. own[i + 1]
    i = i + 2
  end
  return text
end

-- Returns the document of the entity as it is now, or false if there is none. `entity` is the list that
-- steps/entity.lua left; `further` is text that follows createdAt, or nil.
local function snapshot(machine_key, id, entity, further)
  if not entity[1] then return false end
  local machine = string.match(machine_key, '^{[^}]*}:([^:]*):')
  local changed, entered = string.match(entity[6], '^(%d+) (%d+)')
  local timestamp = iso(changed + 0)
  return '{"machine":"' .. machine .. '","id":"' .. id .. '","state":"' .. entity[2] .. '","version":'
    .. entity[4] .. ',"timestamp":"' .. timestamp .. '","since":"'
    .. (entered == changed and timestamp or iso(entered + 0)) .. '","createdAt":"' .. entity[8] .. '"'
    .. (further or '') .. own_text(entity, 11, #entity) .. '}'
end
