#!lua
-- pause: ends an attempt whose event remains to be handled: the handler failed, or its replica stopped before that.
-- A repeated call does nothing. A begin of the same attempt that arrives later counts nothing.
--
-- KEYS
--   1 events        {ns:p}:<machine>:events                    stream  the event log; the reaction is a group on it
--   2 dead_letters  {ns:p}:<machine>:reaction:<name>:dead      stream  dead letters; the same group retries them
--   3 assignments   {ns:p}:<machine>:reaction:<name>:held      hash    which consumer handles which event
--   4 last_seen     {ns:p}:<machine>:reaction:<name>:seen      zset    consumers by their last heartbeat
--   5 settings      {ns:p}:<machine>:reaction:<name>:rules     hash    what all consumers share, see take
--   6 waiting       {ns:p}:<machine>:reaction:<name>:waiting   zset    events behind another one of their entity
-- ARGV
--   1 group     the reaction's name
--   2 consumer  this replica
--   3 mark      e: an event of the log; d: a dead letter that is retried
--   4 id        the event's ID in its stream
--   5 entity    the event's entity
--   6 attempt   the number with which begin was called
--   7 number    the number of this call, higher than that
--   8 ending    failed: the attempt counts; stopped: it does not
-- Reply
--   OK    the attempt has ended
--   LOST  the event was reassigned or is finished, or a later attempt has begun
-- Errors
--   NOGROUP

-- @include functions/reaction.lua

-- 1 inputs
local events_key, dead_letters_key, assignments_key = KEYS[1], KEYS[2], KEYS[3]
local group, consumer, mark, id, entity = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local attempt, number, ending = ARGV[6], ARGV[7], ARGV[8]
local stream_key = mark == 'e' and events_key or dead_letters_key
attempt, number = attempt + 0, number + 0

-- 2 read
local owner = owner_of(stream_key, group, id)
local assignment = read_assignment(assignments_key, entity)

-- 3 reject
if owner ~= consumer or not is_assigned(assignment, consumer, mark, id) then return 'LOST' end
if number == assignment.number then return 'OK' end
if attempt < assignment.number then return 'LOST' end

-- 4 write
if attempt == assignment.number and ending == 'stopped' then assignment.attempts = assignment.attempts - 1 end
if assignment.attempts == 0 then assignment.first = '0' end
assignment.number, assignment.began, assignment.alone = number, '0', '0'
write_assignment(assignments_key, entity, assignment)
return 'OK'
