-- Text as a JSON string. Only for what is_text accepted: no control character is left to escape.
local function quote(text)
  if string.find(text, '"', 1, true) or string.find(text, '\\', 1, true) then text = string.gsub(text, '["\\]', '\\%0') end
  return '"' .. text .. '"'
end

-- The own fields as the tail of a document. Three at a time, because the server hashes every byte of every string
-- that is made, so few and short ones are what is fast.
local function own_text(entity)
  local own, text, i, last = entity.own, '', 1, entity.size
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

-- The entity as it is now, for refusals and replays; `done` is the version of a replayed op, or nil.
local function snapshot(machine_key, id, entity, done)
  if not entity then return false end
  local machine = string.match(machine_key, '^{[^}]*}:([^:]*):')
  return '{"machine":"' .. machine .. '","id":"' .. id .. '","state":"' .. entity.state .. '","version":'
    .. entity.version .. ',"timestamp":"' .. iso(entity.at) .. '","since":"' .. iso(entity.since)
    .. '","createdAt":"' .. entity.created .. '"' .. (done and ',"opVersion":' .. done or '') .. own_text(entity) .. '}'
end
