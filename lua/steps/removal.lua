-- Leaves the time of the last removal in this partition, including this one, in `latest`. It distinguishes a late retry
-- of create from a first attempt. Takes `last_removal`, `now` and `at`.
if last_removal and not find(last_removal, '^%d+$') then
  return redis.error_reply('LAYOUT another one than this script knows')
end
local latest = last_removal and last_removal + 0 > now and last_removal or at -- clocks may differ after a failover
