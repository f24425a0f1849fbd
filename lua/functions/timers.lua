-- Reads a state's timers from their row in the machine, nil for none, and computes when they end, from the time of
-- entry and the time of the last heartbeat in this stay (0 for none), all in ms. A timer that the state does not have
-- is nil. Returns false if the row is damaged.
local function read_timers(row, entered, renewed)
  local after, lease, retain, timeout_to, lease_to =
    string.match(row or '3     ', '^3 (%d*) (%d*) (%d*) (%S*) (%S*)$')
  if not after then return false end
  local timers = { renewed = renewed > 0 and renewed or entered }
  if after ~= '' then
    timers.timeout, timers.timeout_end, timers.timeout_to = after + 0, entered + after, timeout_to
  end
  if lease ~= '' then
    timers.lease, timers.lease_end, timers.lease_to = lease + 0, timers.renewed + lease, lease_to
  end
  if retain ~= '' then timers.retention, timers.removal_at = retain + 0, entered + retain end
  return timers
end

-- Returns the earliest end of the timers, nil if there is none.
local function first_end(timers)
  local timeout_end, lease_end = timers.timeout_end, timers.lease_end
  if timeout_end and lease_end then return math.min(timeout_end, lease_end) end
  return timeout_end or lease_end or timers.removal_at
end
