-- Computes the times of the current state's timers from the entity and the current machine. Takes `timing`, the row of
-- the state's timers or nil, and `entity`. Leaves, nil for no such timer and all in ms,
--   timeout_end, removal_at  counted from the time of entry, `begun`
--   lease_end                counted from the last renewal since entry, or from entry: `renewed`
-- and the lengths in `after`, `lease` and `retain` and the targets in `timeout_to` and `lease_to`, '' for none.
local after, lease, retain, timeout_to, lease_to =
  string.match(timing or '2     ', '^2 (%d*) (%d*) (%d*) (%S*) (%S*)$')
if not after then return redis.error_reply('LAYOUT another one than this script knows') end
local begun = entity[8] + 0
local renewed = entity[24] ~= '' and entity[24] + 0 > begun and entity[24] + 0 or begun
local timeout_end = after ~= '' and begun + after or nil
local lease_end = lease ~= '' and renewed + lease or nil
local removal_at = retain ~= '' and begun + retain or nil
