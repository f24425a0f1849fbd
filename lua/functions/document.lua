-- Returns the own fields as the tail of a document. It joins three at a time, because the server hashes every byte of
-- every string that it creates, so fewer strings are faster.
local function own_text(own, first, last)
  local text, i = '', first
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

-- Returns the document of the entity as it is now, for rejections and replays, or false if there is none. `entity` is
-- the list that steps/entity.lua left; `done` is the version of a replayed op, or nil.
local function snapshot(machine_key, id, entity, done)
  if not entity[1] then return false end
  local machine = string.match(machine_key, '^{[^}]*}:([^:]*):')
  return '{"machine":"' .. machine .. '","id":"' .. id .. '","state":"' .. entity[2] .. '","version":'
    .. entity[4] .. ',"timestamp":"' .. iso(entity[6] + 0) .. '","since":"' .. iso(entity[8] + 0)
    .. '","createdAt":"' .. entity[22] .. '"' .. (done and ',"opVersion":' .. done or '')
    .. own_text(entity, 25, #entity) .. '}'
end
