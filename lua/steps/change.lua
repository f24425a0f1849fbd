-- Builds the document of the change to state `to`, entered at `entered` (ms). Leaves `document` and `next_version`.
-- Takes `now`, its text `stamped`, and the locals of options, entity, rule and fields.
local next_version = (version or 0) + 1 .. ''
local from, quote = state or 'null', state and '"' or ''
local document = head .. id .. '","from":' .. quote .. from .. quote .. ',"state":"' .. to .. '","version":'
  .. next_version .. ',"timestamp":"' .. stamped .. '","since":"' .. (entered == now and stamped or iso(entered))
  .. '","createdAt":"' .. (created or stamped) .. '"' .. (actor or '') .. (reason or '')
  .. (op and ',"op":"' .. op .. '"' or '') .. (force and ',"forced":true' or '') .. own_text(entity, first, last) .. '}'
