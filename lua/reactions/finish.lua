#!lua
-- finish: acknowledges an event, as handled or as a dead letter, if it still belongs to this consumer, and assigns the
-- entity's next event to it. A repeated call returns the same.
--
-- KEYS
--   1 events        {ns:p}:<machine>:events                    stream  the event log; the reaction is a group on it
--   2 dead_letters  {ns:p}:<machine>:reaction:<name>:dead      stream  dead letters; the same group retries them
--   3 assignments   {ns:p}:<machine>:reaction:<name>:held      hash    which consumer handles which event
--   4 last_seen     {ns:p}:<machine>:reaction:<name>:seen      zset    consumers by their last heartbeat
--   5 settings      {ns:p}:<machine>:reaction:<name>:rules     hash    what all consumers share, see take
--   6 waiting       {ns:p}:<machine>:reaction:<name>:waiting   zset    events behind another one of their entity
-- ARGV
--   1 group      the reaction's name
--   2 consumer   this replica
--   3 mark       e: an event of the log; d: a dead letter that is retried
--   4 id         the event's ID in its stream
--   5 entity     the event's entity
--   6 attempt    the number with which begin was called
--   7 number     the number of this call, higher than any before
--   8 ending     done; dead: the event becomes a dead letter; lost: it was trimmed from the log
--   9 digest     the SHA-1 of the event as begin returned it, in hexadecimal digits; '' if it returned none
--   10 problem   for dead, the error of the last attempt
--   11 document  for dead, the event
-- Reply
--   [mark, id]  the event is finished, and this is the entity's next event; [] without a next event
--   LOST        the event was reassigned, or may have been since the attempt began; or the ID is of another event
-- Errors
--   NOGROUP  NOPERM <command>

-- @include functions/reaction.lua
-- @include functions/waiting.lua
-- @include functions/gaps.lua

-- 1 inputs
local events_key, dead_letters_key, assignments_key = KEYS[1], KEYS[2], KEYS[3]
local settings_key, waiting_key = KEYS[5], KEYS[6]
local group, consumer, mark, id, entity = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local attempt, number, ending, digest = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local problem, document = ARGV[10], ARGV[11]
local stream_keys = { e = events_key, d = dead_letters_key }
local stream_key = stream_keys[mark]
attempt, number = attempt + 0, number + 0

-- 2 read
local owner = owner_of(stream_key, group, id)
local assignment = read_assignment(assignments_key, entity)
local fields = fields_of(stream_key, id)
local since, latest = string.match(call('HGET', settings_key, 'of:' .. consumer) or '', '^(%d+) (%d+)$')

-- 3 reject
if not owner then
  -- Finished. By this consumer, if none of its events were reassigned since the attempt began.
  if not since or since + 0 >= attempt then return 'LOST' end
  local is_repeated = assignment and assignment.holder == consumer and assignment.number == number
  return is_repeated and { assignment.mark, assignment.id } or {}
end
if owner ~= consumer or not is_assigned(assignment, consumer, mark, id) then return 'LOST' end
if number < assignment.number then return 'LOST' end
-- After a failover, the log can have given the ID to another event.
if digest ~= '' and fields and redis.sha1hex(named(fields).doc or '') ~= digest then return 'LOST' end
local lacks = forbidden({ { 'XADD', dead_letters_key, '*', 'f', 'v' }, { 'XACK', stream_key, group, id },
  { 'XDEL', dead_letters_key, id }, { 'HDEL', assignments_key, entity }, { 'HSET', assignments_key, entity, 'v' },
  { 'ZREM', waiting_key, entity }, { 'XCLAIM', events_key, group, consumer, '0', id } })
if lacks then return redis.error_reply('NOPERM ' .. lacks) end

-- 4 write
local function add_gap_here(from, to, count)
  add_gap(dead_letters_key, settings_key, consumer, (latest or 0) + 1, from, to, count)
end
if ending == 'dead' then
  local now = text_of(server_ms())
  local first = assignment.first == '0' and now or assignment.first
  call('XADD', dead_letters_key, '*', 'doc', document, 'error', problem, 'tries', assignment.attempts,
    'first', first, 'last', now)
elseif ending == 'lost' and mark == 'e' then
  add_gap_here(id, id, 1)
end
call('XACK', stream_key, group, id)
if mark == 'd' then call('XDEL', dead_letters_key, id) end
call('HDEL', assignments_key, '!' .. mark .. id)
local following, gap = assign_next(assignments_key, waiting_key, stream_keys, group, consumer, number, entity)
if gap then add_gap_here(unpack(gap)) end
return following and { following.mark, following.id } or {}
