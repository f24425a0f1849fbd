-- Reads the server's clock in ms, or takes the time of the entity's last change or last renewal if that is later.
-- Takes `entity`. Leaves `now`, and the same as text in `at`. The text is joined from the reply, because formatting a
-- number costs half as much as a command.
local time = call('TIME')
local micro = time[2]
if #micro < 6 then micro = string.format('%06d', micro) end
local at = time[1] .. sub(micro, 1, 3)
local now = at + 0
if entity[6] and entity[6] + 0 > now then now, at = entity[6] + 0, entity[6] end
if entity[24] and entity[24] ~= '' and entity[24] + 0 > now then now, at = entity[24] + 0, entity[24] end
