#!lua
-- forget: removes everything that the server keeps of a reaction in a partition, if no replica of it is live.
--
-- KEYS
--   1 events        {ns:p}:<machine>:events                    stream  the event log; the reaction is a group on it
--   2 dead_letters  {ns:p}:<machine>:reaction:<name>:dead      stream  dead letters; the same group retries them
--   3 assignments   {ns:p}:<machine>:reaction:<name>:held      hash    which consumer handles which event
--   4 last_seen     {ns:p}:<machine>:reaction:<name>:seen      zset    consumers by their last heartbeat
--   5 settings      {ns:p}:<machine>:reaction:<name>:rules     hash    what all consumers share, see take
--   6 waiting       {ns:p}:<machine>:reaction:<name>:waiting   zset    events behind another one of their entity
-- ARGV
--   1 group  the reaction's name
--   2 mode   look: returns what there is and removes nothing
--            unused: removes it if no replica is live, no event is unfinished, and there are no dead letters
--            force: removes it if no replica is live
--            all: removes it, for the further partitions of a reaction that was removed from the first one
--   3 kept   for this long, in ms, the server notes that the reaction was forgotten, for replicas that come back
-- Reply
--   [removed, living, pending, dead, consumers, lag], or null if there is nothing of the reaction
--     removed    1 if it was removed
--     living     the replicas with a heartbeat within the time that one of them noted as `idle`
--     pending    the events that were delivered and are not finished
--     dead       the dead letters
--     consumers  the replicas, dead ones included
--     lag        the events in the log that were not delivered; null if the server cannot determine it
-- Errors
--   NOPERM <command>

-- @include functions/reaction.lua

-- 1 inputs
local events_key, dead_letters_key, assignments_key = KEYS[1], KEYS[2], KEYS[3]
local last_seen_key, settings_key, waiting_key = KEYS[4], KEYS[5], KEYS[6]
local group, mode, kept = ARGV[1], ARGV[2], ARGV[3]
local LONGEST_IDLE_MS = 86400000 -- if no replica noted one

-- 2 read
local facts = find_group(events_key, group)
local on, idle = unpack(call('HMGET', settings_key, 'on', 'idle'))
local letters, consumers = call('XLEN', dead_letters_key), call('ZCARD', last_seen_key)
local now = server_ms()
local living = call('ZCOUNT', last_seen_key, '(' .. text_of(now - (idle or LONGEST_IDLE_MS)), '+inf')
local pending, lag = facts and facts.pending or 0, facts and facts.lag or false

-- 3 reject
if not facts and not on and letters + consumers == 0 then return false end
if mode == 'look' or mode ~= 'all' and living > 0 or mode == 'unused' and pending + letters > 0 then
  return { 0, living, pending, letters, consumers, lag }
end
local lacks = forbidden({ { 'XGROUP', 'DESTROY', events_key, group },
  { 'DEL', dead_letters_key, assignments_key, last_seen_key, settings_key, waiting_key },
  { 'HSET', settings_key, 'f', 'v' }, { 'PEXPIRE', settings_key, kept } })
if lacks then return redis.error_reply('NOPERM ' .. lacks) end

-- 4 write
if facts then call('XGROUP', 'DESTROY', events_key, group) end
call('DEL', dead_letters_key, assignments_key, last_seen_key, settings_key, waiting_key)
call('HSET', settings_key, 'forgotten', text_of(now))
call('PEXPIRE', settings_key, kept)
return { 1, living, pending, letters, consumers, lag }
