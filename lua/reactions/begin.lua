#!lua
-- begin: counts an attempt to handle an event and returns the event, if it still belongs to this consumer.
-- A repeated call with the same number counts once. A call that arrives after a later one counts nothing.
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
--   6 number    the number of this call, higher than any before
--   7 most      the largest number of attempts
-- Reply
--   [attempts, document, spent]
--     attempts  the attempts so far, with this one
--     document  the event; null if it was trimmed from the log, empty if the entry has none
--     spent     1 if all attempts were made before: this one does not count
--   LOST  the event was reassigned or is finished, the call is outdated, or the event is of another entity
-- Errors
--   NOGROUP

-- @include functions/reaction.lua

-- 1 inputs
local events_key, dead_letters_key, assignments_key = KEYS[1], KEYS[2], KEYS[3]
local group, consumer, mark, id, entity = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local number, most = ARGV[6], ARGV[7]
local stream_key = mark == 'e' and events_key or dead_letters_key
number, most = number + 0, most + 0

-- 2 read
local owner = owner_of(stream_key, group, id)
local fields = fields_of(stream_key, id)
local document = fields and (named(fields).doc or '')
local assignment = read_assignment(assignments_key, entity)
local latest = assignment.holder == consumer and assignment.number or 0
if assignment.event ~= mark .. id then
  assignment.event, assignment.attempts, assignment.first = mark .. id, 0, '0'
end

-- 3 reject
if owner ~= consumer or number < latest then return 'LOST' end
-- After a failover, the log can have given the ID to an event of another entity.
if fields and subject_of(id, fields) ~= entity then return 'LOST' end
if number == latest then return { assignment.attempts, document, 0 } end
if not document or assignment.attempts >= most then return { assignment.attempts, document, 1 } end

-- 4 write
if assignment.first == '0' then assignment.first = text_of(server_ms()) end
assignment.attempts = assignment.attempts + 1
assignment.holder, assignment.last, assignment.number = consumer, assignment.last or mark .. id, number
call('HSET', assignments_key, entity, assignment_text(assignment))
call('XCLAIM', stream_key, group, consumer, 0, id, 'RETRYCOUNT', assignment.attempts, 'JUSTID')
return { assignment.attempts, document, 0 }
