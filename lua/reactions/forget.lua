#!lua
-- forget: removes all that the server keeps of a reaction in a partition, where no replica of it lives.
--
-- KEYS
--   1 events  2 dead  3 held  4 seen  5 rules  as in take
-- ARGV
--   1 group
--   2 how   look: tells what there is, and removes nothing
--           unused: not where a replica lives, nor where an event is unfinished or there are dead letters
--           force: not where a replica lives
--           all: whoever lives; for the rest of a reaction that was removed from another partition already
--   3 ms    so long it is noted that the reaction was forgotten, for replicas that come back
-- Reply [removed, living, pending, dead, consumers, lag], or null where there is nothing of it
--   removed    1 where it was
--   living     how many replicas gave a sign of life within what one of them noted as `idle`
--   pending    how many events were given out and not finished
--   dead       how many dead letters there were
--   consumers  how many replicas were noted, the dead included
--   lag        how many events the log holds that were not given out; null where that can't be told
-- Errors
--   NOPERM <command>
local call, format = redis.call, string.format
local events, dead, held, seen, rules = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local group, how, kept = ARGV[1], ARGV[2], ARGV[3]
local LONGEST_IDLE = 86400000 -- where nobody noted one

-- read
local groups = redis.pcall('XINFO', 'GROUPS', events)
local place
for _, flat in ipairs(groups.err and {} or groups) do
  local one = {}
  for i = 1, #flat, 2 do one[flat[i]] = flat[i + 1] end
  if one.name == group then place = one end
end
local on, idle = unpack(call('HMGET', rules, 'on', 'idle'))
local letters, consumers = call('XLEN', dead), call('ZCARD', seen)
if not place and not on and letters + consumers == 0 then return false end
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local living = call('ZCOUNT', seen, '(' .. format('%.0f', now - (idle or LONGEST_IDLE)), '+inf')
local pending, lag = place and place.pending or 0, place and place.lag or false

-- refuse
local is_refused = how == 'look' or how ~= 'all' and living > 0 or how == 'unused' and pending + letters > 0
if not is_refused then
  for _, command in ipairs({ { 'XGROUP', 'DESTROY', events, group }, { 'DEL', dead, held, seen, rules },
    { 'HSET', rules, 'f', 'v' }, { 'PEXPIRE', rules, kept } }) do
    if not redis.acl_check_cmd(unpack(command)) then
      return redis.error_reply('NOPERM ' .. string.lower(command[1]))
    end
  end

  -- write
  if place then call('XGROUP', 'DESTROY', events, group) end
  call('DEL', dead, held, seen, rules)
  call('HSET', rules, 'forgotten', format('%.0f', now))
  call('PEXPIRE', rules, kept)
end
return { is_refused and 0 or 1, living, pending, letters, consumers, lag }
