#!lua
-- uncount: takes back an attempt, because its replica stopped before the handler failed. A begin of the same attempt
-- that arrives later counts nothing.
--
-- KEYS
--   1 events        {ns:p}:<machine>:events                 stream  the event log; the reaction is a group on it
--   2 dead_letters  {ns:p}:<machine>:reaction:<name>:dead   stream  dead letters; the same group retries them
--   3 assignments   {ns:p}:<machine>:reaction:<name>:held   hash    which consumer handles which entity, see take
--   4 last_seen     {ns:p}:<machine>:reaction:<name>:seen   zset    consumers by their last heartbeat
--   5 settings      {ns:p}:<machine>:reaction:<name>:rules  hash    what all consumers share, see take
-- ARGV
--   1 group     the reaction's name
--   2 consumer  this replica
--   3 mark      e: an event of the log; d: a dead letter that is retried
--   4 id        the event's ID in its stream
--   5 entity    the event's entity
--   6 attempt   the number with which begin was called; it is taken back once, however often this is called
--   7 number    the number of this call, higher than that
-- Reply
--   OK    the attempt does not count
--   LOST  the event was reassigned or is finished, or a later attempt has begun
-- Errors
--   NOGROUP  NOPERM <command>

-- @include functions/reaction.lua

-- 1 inputs
local events_key, dead_letters_key, assignments_key = KEYS[1], KEYS[2], KEYS[3]
local group, consumer, mark, id, entity = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local attempt, number = ARGV[6], ARGV[7]
local stream_key = mark == 'e' and events_key or dead_letters_key
attempt, number = attempt + 0, number + 0

-- 2 read
local owner = owner_of(stream_key, group, id)
local assignment = read_assignment(assignments_key, entity)
local latest = assignment.holder == consumer and assignment.number or 0

-- 3 reject
if owner ~= consumer then return 'LOST' end
if number == latest then return 'OK' end
if attempt < latest then return 'LOST' end
local lacks = forbidden({ { 'XCLAIM', stream_key, group, consumer, '0', id } })
if lacks then return redis.error_reply('NOPERM ' .. lacks) end

-- 4 write
if assignment.event ~= mark .. id then
  assignment.event, assignment.attempts, assignment.first = mark .. id, 0, '0'
end
if attempt == latest then assignment.attempts = assignment.attempts - 1 end
if assignment.attempts == 0 then assignment.first = '0' end
assignment.holder, assignment.last, assignment.number = consumer, assignment.last or mark .. id, number
call('HSET', assignments_key, entity, assignment_text(assignment))
call('XCLAIM', stream_key, group, consumer, 0, id, 'RETRYCOUNT', assignment.attempts, 'JUSTID')
return 'OK'
