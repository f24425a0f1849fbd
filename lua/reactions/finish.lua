#!lua
-- finish: acknowledges an event, as handled or as a dead letter, if it still belongs to this consumer.
-- A repeated call returns the same.
--
-- KEYS
--   1 events        {ns:p}:<machine>:events                 stream  the event log; the reaction is a group on it
--   2 dead_letters  {ns:p}:<machine>:reaction:<name>:dead   stream  dead letters; the same group retries them
--   3 assignments   {ns:p}:<machine>:reaction:<name>:held   hash    which consumer handles which entity, see take
--   4 last_seen     {ns:p}:<machine>:reaction:<name>:seen   zset    consumers by their last heartbeat
--   5 settings      {ns:p}:<machine>:reaction:<name>:rules  hash    what all consumers share, see take
-- ARGV
--   1 group      the reaction's name
--   2 consumer   this replica
--   3 mark       e: an event of the log; d: a dead letter that is retried
--   4 id         the event's ID in its stream
--   5 entity     the event's entity
--   6 attempt    the number with which begin was called
--   7 number     the number of this call, higher than any before
--   8 following  mark and ID of the entity's next event that this consumer has; '' if it knows none
--   9 ending     done; dead: the event becomes a dead letter; lost: it was trimmed from the log
--   10 digest    the SHA-1 of the event as begin returned it, in hexadecimal digits; '' if it returned none
--   11 problem   for dead, the error of the last attempt
--   12 document  for dead, the event
-- Reply
--   OK    the event is finished
--   LOST  the event was reassigned, or may have been since the attempt began; or the ID is of another event
-- Errors
--   NOGROUP  NOPERM <command>

-- @include functions/reaction.lua

-- 1 inputs
local events_key, dead_letters_key, assignments_key, settings_key = KEYS[1], KEYS[2], KEYS[3], KEYS[5]
local group, consumer, mark, id, entity = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local attempt, number, following = ARGV[6], ARGV[7], ARGV[8]
local ending, digest, problem, document = ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local stream_keys = { e = events_key, d = dead_letters_key }
local stream_key = stream_keys[mark]
attempt, number = attempt + 0, number + 0

-- 2 read
local owner = owner_of(stream_key, group, id)
local assignment = read_assignment(assignments_key, entity)
local fields = fields_of(stream_key, id)
local is_holder = assignment.holder == consumer
local since = string.match(call('HGET', settings_key, 'of:' .. consumer) or '', '^%d+')
local function is_own(event)
  local event_mark, event_id = string.match(event, '^([ed])(.+)$')
  return event_mark and owner_of(stream_keys[event_mark], group, event_id) == consumer
end

-- 3 reject
if not owner then
  -- Finished. By this consumer, if none of its events were reassigned since the attempt began.
  return since and since + 0 < attempt and 'OK' or 'LOST'
end
if owner ~= consumer or is_holder and number < assignment.number then return 'LOST' end
-- After a failover, the log can have given the ID to another event.
if digest ~= '' and fields and redis.sha1hex(named(fields).doc or '') ~= digest then return 'LOST' end
local lacks = forbidden({ { 'XADD', dead_letters_key, '*', 'f', 'v' }, { 'XACK', stream_key, group, id },
  { 'XDEL', dead_letters_key, id }, { 'HDEL', assignments_key, entity }, { 'HSET', assignments_key, entity, 'v' } })
if lacks then return redis.error_reply('NOPERM ' .. lacks) end

-- 4 write
if ending ~= 'done' then
  local now = text_of(server_ms())
  if assignment.event ~= mark .. id then assignment.attempts, assignment.first = 0, now end
  if ending == 'dead' then
    call('XADD', dead_letters_key, '*', 'doc', document, 'error', problem, 'tries', assignment.attempts,
      'first', assignment.first, 'last', now)
  elseif mark == 'e' then
    call('XADD', dead_letters_key, '*', 'lost', id, 'to', id, 'count', 1, 'last', now)
  end
end
call('XACK', stream_key, group, id)
if mark == 'd' then call('XDEL', dead_letters_key, id) end
if is_holder then
  -- The entity becomes free for any consumer if no further event of it belongs to this one.
  local last = assignment.last
  if last == mark .. id or not is_own(last) then last = is_own(following) and following end
  if last then
    call('HSET', assignments_key, entity, assignment_text({ holder = consumer, last = last, number = number,
      event = last, attempts = 0, first = 0 }))
  else
    call('HDEL', assignments_key, entity)
  end
end
return 'OK'
