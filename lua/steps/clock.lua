-- Reads the server's clock. Takes `changed` and `renewed` of the entity. Leaves
--   time  the server's time in ms: what NOTAFTER and the ends of timers are compared with
--   now   the time of this call in ms, and `at`, the same as text: never before the entity's last change or heartbeat,
--         unless that is more than 60 s ahead: then the clock was wrong, has been corrected, and is followed
--   is_ahead  true in that case: the script corrects what is dated ahead
-- The text is joined from the reply, because formatting a number costs half as much as a command.
local clock = call('TIME')
local micro = clock[2]
if #micro < 6 then micro = string.format('%06d', micro) end
local at = clock[1] .. sub(micro, 1, 3)
local time = at + 0
local now, latest = time, changed > renewed and changed or renewed
local is_ahead = latest > time + 60000
if latest > time and not is_ahead then now, at = latest, string.format('%.0f', latest) end
