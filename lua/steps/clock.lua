-- The server's clock in ms, never behind the entity's last change and the last renewal of its lease: `now`, and the
-- same as text in `at`. Takes `entity`. Cut and joined as text, because to write a number out costs as much as half a
-- command.
local time = call('TIME')
local micro = time[2]
if #micro < 6 then micro = string.format('%06d', micro) end
local at = time[1] .. sub(micro, 1, 3)
local now = at + 0
if entity[6] and entity[6] + 0 > now then now, at = entity[6] + 0, entity[6] end
if entity[24] and entity[24] ~= '' and entity[24] + 0 > now then now, at = entity[24] + 0, entity[24] end
