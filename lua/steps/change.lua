-- Builds the document of the change to state `to`, entered at `since` (ms), in `document`. What the entity's own log
-- keeps of it is left in `core`, `why`, `forced` and `effect`, which commit joins once: the server hashes every byte of
-- every string. Takes `now`, its text `stamped`, `next_version`, and the locals of options, entity, rule and fields.
local core = ',"from":' .. (state and '"' .. state .. '"' or 'null') .. ',"state":"' .. to .. '","version":'
  .. next_version .. ',"timestamp":"' .. stamped .. '"'
local why, forced = (actor or '') .. (reason or ''), force and ',"forced":true' or ''
local document = '{"type":"' .. event .. head .. id .. '"' .. core .. ',"since":"'
  .. (since == now and stamped or iso(since)) .. '","createdAt":"' .. (created or stamped) .. '"' .. why
  .. (op and ',"op":"' .. op .. '"' or '') .. forced .. own_text(entity, first, last) .. '}'
local room = 949 - #event - #core - #why - #forced -- a record has at most 1024 bytes with its position
local effect = effect_text(written, unset, room)
