-- When an entity was last removed in this partition, if now: `latest`, which lets a late retry of create be told from a
-- first attempt. Takes `last_removal`, `now` and `at`.
if last_removal and not find(last_removal, '^%d+$') then
  return redis.error_reply('LAYOUT another one than this script knows')
end
local latest = last_removal and last_removal + 0 > now and last_removal or at -- after a failover clocks may differ
