-- Builds the document of the change to state `to`, entered at `since` (ms), in `document`; and in `record` what the
-- entity's own log keeps of it, without the position. Takes `now`, its text `stamped`, `next_version`, and the locals
-- of options, entity, rule and fields.
local core = ',"from":' .. (state and '"' .. state .. '"' or 'null') .. ',"state":"' .. to .. '","version":'
  .. next_version .. ',"timestamp":"' .. stamped .. '"'
local why = (actor or '') .. (reason or '')
local document = '{"type":"' .. event .. head .. id .. '"' .. core .. ',"since":"'
  .. (since == now and stamped or iso(since)) .. '","createdAt":"' .. (created or stamped) .. '"' .. why
  .. (op and ',"op":"' .. op .. '"' or '') .. (force and ',"forced":true' or '') .. own_text(entity, first, last) .. '}'
local record = '","type":"' .. event .. '"' .. core .. why .. (force and ',"forced":true' or '')
record = record .. effect_text(written, unset, 960 - #record) .. '}' -- 1024 bytes together with the position
