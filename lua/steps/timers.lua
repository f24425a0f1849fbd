-- When the timers of the present state end, in ms: `timeout_end` counts from entry, `lease_end` from entry or from the
-- last renewal since (`renewed`), `removal_at` from entry; nil for none. All of it follows from the entity and from the
-- machine as it is now. Leaves the lengths in `after`, `lease` and `retain` and the targets in `timeout_to` and
-- `lease_to`, '' for none, and the time of entry in `begun`. Takes `timing`, the state's row of timers or nil, and
-- `entity`.
local after, lease, retain, timeout_to, lease_to =
  string.match(timing or '2     ', '^2 (%d*) (%d*) (%d*) (%S*) (%S*)$')
if not after then return redis.error_reply('LAYOUT another one than this script knows') end
local begun = entity[8] + 0
local renewed = entity[24] ~= '' and entity[24] + 0 > begun and entity[24] + 0 or begun
local timeout_end = after ~= '' and begun + after or nil
local lease_end = lease ~= '' and renewed + lease or nil
local removal_at = retain ~= '' and begun + retain or nil
