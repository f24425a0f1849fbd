#!lua
-- take: sends a heartbeat of a replica, reassigns the events of dead replicas to it, and delivers new events.
--
-- An entity with unfinished events has a holder: the one consumer that handles them. A consumer that takes a later
-- event of the entity assigns it to the holder. So the events of an entity are handled one after the other, in order.
-- If a reply is lost, the next one contains everything in it. A call that arrives after a later one is rejected.
--
-- KEYS
--   1 events        {ns:p}:<machine>:events                 stream  the event log; the reaction is a group on it
--   2 dead_letters  {ns:p}:<machine>:reaction:<name>:dead   stream  dead letters; the same group retries them
--   3 assignments   {ns:p}:<machine>:reaction:<name>:held   hash    which consumer handles which entity
--   4 last_seen     {ns:p}:<machine>:reaction:<name>:seen   zset    consumers by their last heartbeat, in ms
--   5 settings      {ns:p}:<machine>:reaction:<name>:rules  hash    what all consumers share
-- Assignments
--   `holder last number event attempts first` by entity: the consumer that handles its events, the last of them, the
--   number of its latest call, and an event with the number of its attempts and the time of the first
-- Settings
--   on               the event types that all consumers handle, separated by blanks
--   idle             the argument of this name, from the consumer that changed it last
--   of:<consumer>    `since number changed`: its first take since events of it were reassigned, its latest take, and
--                    its latest take in which events were reassigned to it
--   lost:<consumer>  `number from to count`: a gap, and the latest take that reported it
--   forgotten        after forget, the only field: the time in ms
-- ARGV
--   1 group     the reaction's name
--   2 consumer  this replica
--   3 count     how many new events to deliver at most; -1 only registers the replica
--   4 after     ID of the last own event that the replica knows; 0-0 requests all own events
--   5 idle      a consumer without a heartbeat for this long, in ms, is dead
--   6 known     until this time, in ms, the server knows if the reaction was forgotten while the consumer was away; 0
--               if the consumer is new
--   7 number    the number of this call, higher than any before
--   8 answered  the number of the last take whose reply arrived; 0 for none
--   9 and on    the event types to handle, sorted; none stands for all
-- Reply
--   [events, delivered, more, stale, after, gap, now]
--     events     [mark, id, entity] each, in the order in which to handle them; events that are known may be repeated.
--                mark is e for an event of the log, d for a dead letter that is retried. An entry that is not an
--                event is delivered too, whatever its type; its entity begins with #
--     delivered  the ID of the last event that was delivered to any consumer
--     more       1 if there may be further new events
--     stale      1 if events of this consumer may have been reassigned since the take that delivered them
--     after      the ID of the last own event, for the next call
--     gap        [from, to, count] if events were trimmed from the log before they were handled; count 0 is unknown
--     now        the server's time in ms
-- Errors
--   NOGROUP          the reaction does not exist
--   FORGOTTEN        the reaction was forgotten
--   GONE             the reaction does not exist, and whether it was forgotten or lost is no longer known
--   NOPERM <command>
--   OLDCALL          a later call of this consumer arrived before
--   OTHERON <types>  live consumers use other event types. All must use the same, because the consumer that takes an
--                    event decides for all of them if it is handled

-- @include functions/reaction.lua

-- 1 inputs
local events_key, dead_letters_key, assignments_key = KEYS[1], KEYS[2], KEYS[3]
local last_seen_key, settings_key = KEYS[4], KEYS[5]
local group, consumer, count, after = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local idle, known, number, answered = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local on = table.concat(ARGV, ' ', 9)
local is_wanted = {}
for i = 9, #ARGV do is_wanted[ARGV[i]] = true end
count, known, number, answered = count + 0, known + 0, number + 0, answered + 0
local stream_keys = { e = events_key, d = dead_letters_key }
local PAGE = 1000
local SCAN = 500 -- new events that one call looks at

-- 2 read
local now = server_ms()
local alive_after = '(' .. text_of(now - idle)
local facts = find_group(events_key, group)
local forgotten, noted_on, noted_idle, calls, reported = unpack(call('HMGET', settings_key, 'forgotten', 'on', 'idle',
  'of:' .. consumer, 'lost:' .. consumer))
local since, latest, changed = string.match(calls or '', '^(%d+) (%d+) (%d+)$')
since, changed = (since or number) + 0, (changed or number) + 0
local reported_in, from, to, missed = string.match(reported or '', '^(%d+) (%S+) (%S+) (%d+)$')
local is_reported = reported_in and reported_in + 0 <= answered
local gap = reported_in and not is_reported and { from, to, missed + 0 }

local function is_alive(other)
  if other == consumer then return true end
  local seen = call('ZSCORE', last_seen_key, other)
  return seen and seen + 0 > now - idle
end

-- 3 reject
if not facts then
  if forgotten then return redis.error_reply('FORGOTTEN the reaction was forgotten') end
  if known > 0 and now > known then return redis.error_reply('GONE the reaction was forgotten or lost') end
  return redis.error_reply('NOGROUP there is no such reaction')
end
local lacks = forbidden({
  { 'XREADGROUP', 'GROUP', group, consumer, 'STREAMS', events_key, '>' }, { 'XACK', events_key, group, '1-1' },
  { 'XCLAIM', events_key, group, consumer, '0', '1-1' }, { 'XADD', dead_letters_key, '*', 'f', 'v' },
  { 'HSET', assignments_key, 'f', 'v' }, { 'DEL', settings_key }, { 'HSET', settings_key, 'f', 'v' },
  { 'HDEL', settings_key, 'f' }, { 'ZADD', last_seen_key, '1', consumer },
  { 'XGROUP', 'DELCONSUMER', events_key, group, consumer }, { 'ZREM', last_seen_key, consumer },
})
if lacks then return redis.error_reply('NOPERM ' .. lacks) end
if latest and number <= latest + 0 then return redis.error_reply('OLDCALL a later call arrived before') end
if noted_on and noted_on ~= on then
  for _, other in ipairs(call('ZRANGEBYSCORE', last_seen_key, alive_after, '+inf')) do
    if other ~= consumer then return redis.error_reply('OTHERON ' .. noted_on) end
  end
end

-- 4 write
local function add_gap(first, last, size)
  call('XADD', dead_letters_key, '*', 'lost', first, 'to', last, 'count', size, 'last', text_of(now))
  gap = { gap and gap[1] or first, last, (gap and gap[3] or 0) + size }
end
local function assign(mark, id, entity, holder)
  local assignment = read_assignment(assignments_key, entity)
  if assignment.holder ~= holder then assignment.number = number end -- calls of the previous holder do not count
  assignment.holder, assignment.last = holder, mark .. id
  if not assignment.event then assignment.event, assignment.attempts, assignment.first = mark .. id, 0, 0 end
  call('HSET', assignments_key, entity, assignment_text(assignment))
end
local function remove_settings_of(other)
  call('HDEL', settings_key, 'of:' .. other, 'lost:' .. other)
end
local function save()
  call('HSET', settings_key, 'of:' .. consumer, string.format('%.0f %.0f %.0f', since, number, changed))
  if gap then
    call('HSET', settings_key, 'lost:' .. consumer, table.concat({ number, gap[1], gap[2], gap[3] }, ' '))
  elseif is_reported then
    call('HDEL', settings_key, 'lost:' .. consumer)
  end
end

-- The heartbeat.
call('ZADD', last_seen_key, text_of(now), consumer)
if noted_on ~= on then
  call('DEL', settings_key) -- also ends the note of an earlier reaction of this name that was forgotten
  call('HSET', settings_key, 'on', on, 'idle', idle)
elseif noted_idle ~= idle then
  call('HSET', settings_key, 'idle', idle)
end
if count < 0 then
  -- Reads after the largest ID: delivers nothing, but creates the consumer, so that others notice when it is dead.
  call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 1, 'STREAMS', events_key, '18446744073709551615-0')
  save()
  return { {}, facts['last-delivered-id'], 0, 1, after, false, now }
end

-- The events of dead consumers, all at once, so that the events of an entity stay together.
local left = {}
for mark, stream_key in pairs(stream_keys) do
  for _, flat in ipairs(call('XINFO', 'CONSUMERS', stream_key, group)) do
    local other = named(flat)
    local start = other.pending > 0 and not is_alive(other.name) and '-'
    while start do
      local rows = call('XPENDING', stream_key, group, start, '+', PAGE, other.name)
      for _, row in ipairs(rows) do
        local ms, sequence = string.match(row[1], '^(%d+)-(%d+)$')
        left[#left + 1] = { mark = mark, id = row[1], ms = ms + 0, sequence = sequence + 0, owner = other.name }
      end
      start = #rows == PAGE and '(' .. rows[PAGE][1]
    end
  end
end
table.sort(left, function(a, b)
  if a.mark ~= b.mark then return a.mark == 'e' end
  if a.ms ~= b.ms then return a.ms < b.ms end
  return a.sequence < b.sequence
end)
for _, event in ipairs(left) do
  local stream_key, id = stream_keys[event.mark], event.id
  local fields = fields_of(stream_key, id)
  if not fields then
    remove_settings_of(event.owner)
    call('XACK', stream_key, group, id)
    if event.mark == 'e' then add_gap(id, id, 1) end
  else
    local entity = subject_of(id, fields)
    local holder = read_assignment(assignments_key, entity).holder
    -- A live holder gets the event by its own take, after its other events of the entity.
    if not holder or holder == consumer or not is_alive(holder) then
      remove_settings_of(event.owner)
      call('XCLAIM', stream_key, group, consumer, 0, id, 'JUSTID')
      assign(event.mark, id, entity, consumer)
      changed = number
    end
  end
end
for _, stream_key in pairs(stream_keys) do
  for _, flat in ipairs(call('XINFO', 'CONSUMERS', stream_key, group)) do
    local other = named(flat)
    if other.pending == 0 and not is_alive(other.name) then
      call('XGROUP', 'DELCONSUMER', stream_key, group, other.name)
      call('ZREM', last_seen_key, other.name)
      remove_settings_of(other.name)
    end
  end
end

-- New events, after a gap if the log was trimmed.
local delivered, more = facts['last-delivered-id'], count > 0 and 1 or 0
if count > 0 and not fields_of(events_key, delivered) then
  local log = named(call('XINFO', 'STREAM', events_key))
  local trimmed, read = log['entries-added'] - log.length, facts['entries-read']
  local oldest = call('XRANGE', events_key, '-', '+', 'COUNT', 1)[1]
  local last = oldest and oldest[1] or log['last-generated-id']
  if trimmed > 0 and last ~= delivered and not (read and read == trimmed) then
    add_gap(delivered, last, read and math.max(trimmed - read, 0) or 0)
    if not oldest then
      call('XGROUP', 'SETID', events_key, group, last, 'ENTRIESREAD', trimmed)
      delivered = last
    end
  end
end
local kept, scanned = 0, 0
while kept < count and scanned < SCAN do
  local reply = call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count - kept, 'STREAMS', events_key, '>')
  if not reply then
    more = 0
    break
  end
  local skipped = {}
  for _, entry in ipairs(reply[1][2]) do
    local id = entry[1]
    local entity, kind = subject_of(id, entry[2])
    delivered, scanned = id, scanned + 1
    if kind and on ~= '' and not is_wanted[kind] then
      skipped[#skipped + 1] = id
    else
      local holder = read_assignment(assignments_key, entity).holder
      if not holder or not is_alive(holder) then holder = consumer end -- the events of dead holders were taken above
      if holder == consumer then kept = kept + 1
      else call('XCLAIM', events_key, group, holder, 0, id, 'JUSTID') end
      assign('e', id, entity, holder)
    end
  end
  if #skipped > 0 then call('XACK', events_key, group, unpack(skipped)) end
end

-- The own events after those that the replica knows, whichever consumer took them; all if it may not know them all.
local own = {}
local function add_own(mark, start)
  local stream_key = stream_keys[mark]
  local reply = call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', PAGE, 'STREAMS', stream_key, start)
  local rows, last = reply and reply[1][2] or {}, start
  for _, entry in ipairs(rows) do
    local id, fields = entry[1], entry[2]
    last = id
    own[#own + 1] = { mark, id, fields and subject_of(id, fields) or '' } -- begin reports an event that was trimmed
  end
  return last, #rows == PAGE
end
local is_all = answered < changed or after == '0-0'
local last, has_more = add_own('e', is_all and '0-0' or after)
if has_more then more = 1 end
if is_all then
  local start, has_letters = '0-0', true
  while has_letters do start, has_letters = add_own('d', start) end
end
save()
return { own, delivered, more, answered < since and 1 or 0, last, gap or false, now }
