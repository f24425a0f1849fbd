-- Returns what a change did to own fields, for the entity's own log: the fields of the flat list `written`, with their
-- values if all of them together have at most `room` bytes, and the names in `unset`, nil for none.
local function effect_text(written, unset, room)
  local text, size = '', 0
  for i = 1, #written do size = size + #written[i] + 3 end
  if size > 0 and size <= room then
    text = ',"set":{' .. string.sub(own_text(written, 1, #written), 2) .. '}'
  elseif size > 0 then
    local names = {}
    for i = 1, #written, 2 do names[#names + 1] = written[i] end
    text = ',"set":["' .. table.concat(names, '","') .. '"]'
  end
  if unset then text = text .. ',"unset":["' .. table.concat(unset, '","') .. '"]' end
  return text
end
