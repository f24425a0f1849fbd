#!lua
-- begin: counts an attempt to handle an event and returns the event, if it still belongs to this consumer.
-- A repeated call with the same number counts once. A call that arrives after a later one counts nothing.
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
--   6 number    the number of this call, higher than any before
--   7 most      the largest number of attempts that count
--   8 alone     1 if no other attempt runs in this replica until this one has ended, else 0
-- Reply
--   [attempts, document, left]
--     attempts  the attempts so far, with this one
--     document  the event; null if it was trimmed from the log, empty if the entry has none
--     left      how many attempts may follow this one; -1 if all were made before: this one does not count
--   LOST  the event was reassigned or is finished, the call is outdated, or the event is of another entity
-- Errors
--   NOGROUP

-- @include functions/reaction.lua

-- 1 inputs
local events_key, dead_letters_key, assignments_key = KEYS[1], KEYS[2], KEYS[3]
local group, consumer, mark, id, entity = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local number, most, alone = ARGV[6], ARGV[7], ARGV[8]
local stream_key = mark == 'e' and events_key or dead_letters_key
number, most = number + 0, most + 0

-- 2 read
local owner = owner_of(stream_key, group, id)
local fields = fields_of(stream_key, id)
local document = fields and (named(fields).doc or '')
local assignment = read_assignment(assignments_key, entity)

-- 3 reject
if owner ~= consumer or not is_assigned(assignment, consumer, mark, id) then return 'LOST' end
if number < assignment.number then return 'LOST' end
-- After a failover, the log can have given the ID to an event of another entity.
if fields and subject_of(id, fields) ~= entity then return 'LOST' end
local left = most - (assignment.attempts - assignment.excused)
if number == assignment.number then return { assignment.attempts, document, left } end
if not document or left <= 0 then return { assignment.attempts, document, -1 } end

-- 4 write
local now = text_of(server_ms())
if assignment.first == '0' then assignment.first = now end
assignment.attempts, assignment.number = assignment.attempts + 1, number
assignment.began, assignment.alone = now, alone
write_assignment(assignments_key, entity, assignment)
return { assignment.attempts, document, left - 1 }
