-- The document of the change that takes the entity to state `to`, which it entered at `entered` (ms); and its version:
-- `document` and `next_version`. Takes `now`, its text `stamped`, and what options, entity, rule and fields left.
local next_version = (version or 0) + 1 .. ''
local from, quote = state or 'null', state and '"' or ''
local document = head .. id .. '","from":' .. quote .. from .. quote .. ',"state":"' .. to .. '","version":'
  .. next_version .. ',"timestamp":"' .. stamped .. '","since":"' .. (entered == now and stamped or iso(entered))
  .. '","createdAt":"' .. (created or stamped) .. '"' .. (actor or '') .. (reason or '')
  .. (op and ',"op":"' .. op .. '"' or '') .. (force and ',"forced":true' or '') .. own_text(entity, first, last) .. '}'
