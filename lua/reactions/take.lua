#!lua
-- take: sends a heartbeat of a replica and delivers events to it: those of dead replicas, then new ones.
--
-- A consumer has one unfinished event of an entity at most: the others wait until it is finished, see finish. So the
-- events of an entity are handled one after the other, in order, and each consumer has as many events as it has asked
-- for. If a reply is lost, the next one contains everything in it. A call that arrives after a later one is rejected.
--
-- KEYS
--   1 events        {ns:p}:<machine>:events                    stream  the event log; the reaction is a group on it
--   2 dead_letters  {ns:p}:<machine>:reaction:<name>:dead      stream  dead letters; the same group retries them
--   3 assignments   {ns:p}:<machine>:reaction:<name>:held      hash    which consumer handles which event
--   4 last_seen     {ns:p}:<machine>:reaction:<name>:seen      zset    consumers by their last heartbeat, in ms
--   5 settings      {ns:p}:<machine>:reaction:<name>:rules     hash    what all consumers share
--   6 waiting       {ns:p}:<machine>:reaction:<name>:waiting   zset    events behind another one of their entity
-- Settings
--   on               the event types that all consumers handle, separated by blanks
--   idle, delay      the arguments of these names, from the consumer that changed them last
--   of:<consumer>    `since number`: its first take since events of it were reassigned, and its latest take
--   lost:<consumer>  `number from to count`: a gap, and the take that reports it
--   forgotten        after forget, the only field: the time in ms
-- ARGV
--   1 group     the reaction's name
--   2 consumer  this replica
--   3 count     how many events to deliver at most; 0 only reports if there are any; -1 only registers the replica
--   4 all       1 requests all own events too; else 0
--   5 idle      a consumer without a heartbeat for this long, in ms, is dead
--   6 known     until this time, in ms, the server knows if the reaction was forgotten while the consumer was away; 0
--               if the consumer is new
--   7 number    the number of this call, higher than any before
--   8 answered  the number of the last take whose reply arrived; 0 for none
--   9 delay     an event is due this long, in ms, after the time in its ID
--   10 and on   the event types to handle, sorted; none stands for all
-- Reply
--   [events, delivered, more, stale, gap, now, due]
--     events     [mark, id, entity, excused] each. mark is e for an event of the log, d for a dead letter that is
--                retried. An entry that is not an event is delivered too, whatever its type; its entity begins with #
--     delivered  the ID of the last event that was delivered to any consumer
--     more       1 if there may be further events that are due
--     stale      1 if events of this consumer may have been reassigned since the take that delivered them
--     gap        [from, to, count] if events were trimmed from the log before they were handled; count 0 is unknown
--     now        the server's time in ms
--     due        with a delay, in how many ms the next event is due; null if the log has no further one
-- Errors
--   NOGROUP          the reaction does not exist
--   FORGOTTEN        the reaction was forgotten
--   GONE             the reaction does not exist, and whether it was forgotten or lost is no longer known
--   NOPERM <command>
--   OLDCALL          a later call of this consumer arrived before
--   OTHERON <types>  live consumers use other event types. All must use the same, because the consumer that takes an
--                    event decides for all of them if it is handled

-- @include functions/reaction.lua
-- @include functions/waiting.lua
-- @include functions/gaps.lua

-- 1 inputs
local events_key, dead_letters_key, assignments_key = KEYS[1], KEYS[2], KEYS[3]
local last_seen_key, settings_key, waiting_key = KEYS[4], KEYS[5], KEYS[6]
local group, consumer, count, all = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local idle, known, number, answered, delay = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local on = table.concat(ARGV, ' ', 10)
local is_wanted = {}
for i = 10, #ARGV do is_wanted[ARGV[i]] = true end
count, known, number, answered, delay = count + 0, known + 0, number + 0, answered + 0, delay + 0
local stream_keys = { e = events_key, d = dead_letters_key }
local PAGE = 1000
local SKIP_COST = 0.1 -- to skip an event, compared to assigning one

-- 2 read
local now = server_ms()
local alive_after = '(' .. text_of(now - idle)
local facts = find_group(events_key, group)
local forgotten, noted_on, noted_idle, noted_delay, calls, reported = unpack(call('HMGET', settings_key, 'forgotten',
  'on', 'idle', 'delay', 'of:' .. consumer, 'lost:' .. consumer))
local since, latest = string.match(calls or '', '^(%d+) (%d+)$')
since, latest = (since or number) + 0, (latest or 0) + 0
local is_reported = reported and string.match(reported, '^%d+') + 0 <= answered

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
  { 'HSET', assignments_key, 'f', 'v' }, { 'HDEL', assignments_key, 'f' }, { 'DEL', settings_key },
  { 'ZADD', last_seen_key, '1', consumer }, { 'ZREM', last_seen_key, consumer }, { 'ZREM', waiting_key, 'm' },
  { 'XGROUP', 'DELCONSUMER', events_key, group, consumer }, { 'XGROUP', 'SETID', events_key, group, '1-1' },
})
if lacks then return redis.error_reply('NOPERM ' .. lacks) end
if number <= latest then return redis.error_reply('OLDCALL a later call arrived before') end
if noted_on and noted_on ~= on then
  for _, other in ipairs(call('ZRANGEBYSCORE', last_seen_key, alive_after, '+inf')) do
    if other ~= consumer then return redis.error_reply('OTHERON ' .. noted_on) end
  end
end

-- 4 write
-- The heartbeat.
call('ZADD', last_seen_key, text_of(now), consumer)
if noted_on ~= on then
  call('DEL', settings_key) -- also ends the note of an earlier reaction of this name that was forgotten
  call('HSET', settings_key, 'on', on, 'idle', idle, 'delay', text_of(delay))
elseif noted_idle ~= idle or noted_delay ~= text_of(delay) then
  call('HSET', settings_key, 'idle', idle, 'delay', text_of(delay))
end
call('HSET', settings_key, 'of:' .. consumer, string.format('%.0f %.0f', since, number))
if is_reported then call('HDEL', settings_key, 'lost:' .. consumer) end
if count < 0 then
  -- Reads after the largest ID: delivers nothing, but creates the consumer, so that others notice when it is dead.
  call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 1, 'STREAMS', events_key, '18446744073709551615-0')
  return { {}, facts['last-delivered-id'], 0, 1, false, now, false }
end

local own, added, scanned, is_busy = {}, 0, 0, {}
local function add_own(entity, assignment)
  own[#own + 1] = { assignment.mark, assignment.id, entity, assignment.excused }
end
local function add_own_gap(from, to, missed)
  add_gap(dead_letters_key, settings_key, consumer, number, from, to, missed)
end
-- Gives a pending event to this consumer, or lets it wait for an earlier event of its entity.
local function assign(mark, id, entity)
  local stream_key = stream_keys[mark]
  scanned = scanned + 1
  local assignment = not is_busy[entity] and read_assignment(assignments_key, entity)
  if assignment and (assignment.mark ~= mark or assignment.id ~= id) then
    is_busy[entity] = is_unfinished(assignments_key, stream_keys, group, entity, assignment)
    assignment = nil
  end
  if is_busy[entity] then return add_waiting(waiting_key, stream_key, group, entity, mark, id) end
  assignment = assignment or new_assignment(consumer, number, mark, id)
  -- An attempt that crashed beside others does not count: one of the others may have caused it.
  if assignment.began ~= '0' and assignment.alone == '0' then assignment.excused = assignment.excused + 1 end
  assignment.holder, assignment.number, assignment.began = consumer, number, '0'
  call('XCLAIM', stream_key, group, consumer, 0, id, 'JUSTID')
  write_assignment(assignments_key, entity, assignment)
  is_busy[entity] = true
  add_own(entity, assignment)
  added = added + 1
end
local function assign_following(entity)
  local following, gap = assign_next(assignments_key, waiting_key, stream_keys, group, consumer, number, entity)
  if gap then add_own_gap(unpack(gap)) end
  if following then add_own(entity, following) end
  is_busy[entity], added, scanned = following ~= nil, added + 1, scanned + 1
end
-- Acknowledges a pending event that was trimmed, and assigns the next one of its entity.
local function drop(mark, id)
  local stream_key, field = stream_keys[mark], '!' .. mark .. id
  call('XACK', stream_key, group, id)
  if mark == 'e' then add_own_gap(id, id, 1) end
  local entity = call('HGET', assignments_key, field)
  if not entity then return end
  call('HDEL', assignments_key, field)
  assign_following(entity)
end
local function assign_or_drop(mark, id)
  local stream_key = stream_keys[mark]
  local fields = fields_of(stream_key, id)
  if fields then assign(mark, id, (subject_of(id, fields))) else drop(mark, id) end
end

-- All own events, if an earlier reply was lost.
for mark, stream_key in pairs((all == '1' or latest ~= answered) and stream_keys or {}) do
  local start = '-'
  while start do
    local rows = call('XPENDING', stream_key, group, start, '+', PAGE, consumer)
    local entities = find_entities(assignments_key, mark, rows)
    local texts = #rows > 0 and call('HMGET', assignments_key, unpack(entities)) or {}
    for i, row in ipairs(rows) do
      local id, assignment = row[1], parse_assignment(texts[i])
      if is_assigned(assignment, consumer, mark, id) then add_own(entities[i], assignment)
      else assign_or_drop(mark, id) end
    end
    start = #rows == PAGE and '(' .. rows[PAGE][1]
  end
end

-- The further trimmed events of an entity, see waiting.lua. If it has an assignment, finish removes them.
local trimmed_of = call('ZRANGE', waiting_key, '[ ', '(!', 'BYLEX', 'LIMIT', 0, 1)[1]
local has_left = trimmed_of ~= nil
if has_left and count > 0 then
  local entity = string.sub(trimmed_of, 2)
  call('ZREM', waiting_key, trimmed_of)
  if not read_assignment(assignments_key, entity) then assign_following(entity) end
end

-- The events of dead consumers.
for mark, stream_key in pairs(stream_keys) do
  for _, flat in ipairs(call('XINFO', 'CONSUMERS', stream_key, group)) do
    local other = named(flat)
    local name, left = other.name, other.pending
    if name ~= WAITING and not is_alive(name) then
      while left > 0 and added < count and scanned < LONGEST_SCAN do
        local most = math.min(count - added, LONGEST_SCAN - scanned)
        local rows = call('XPENDING', stream_key, group, '-', '+', most, name)
        for _, row in ipairs(rows) do assign_or_drop(mark, row[1]) end
        left = left - #rows
      end
      if left < other.pending or left == 0 then call('HDEL', settings_key, 'of:' .. name, 'lost:' .. name) end
      if left == 0 then
        call('XGROUP', 'DELCONSUMER', stream_key, group, name)
        call('ZREM', last_seen_key, name)
      end
      has_left = has_left or left > 0
    end
  end
end

-- A gap, if events after the last one that was delivered were trimmed from the log.
local delivered = facts['last-delivered-id']
local missed, last, position, trimmed = find_gap(events_key, facts)
if count > 0 and missed then
  add_own_gap(delivered, last, missed)
  call('XGROUP', 'SETID', events_key, group, position, 'ENTRIESREAD', trimmed)
  delivered = position
end

-- New events.
local latest_due = delay > 0 and text_of(now - delay) or '+'
local is_end = count == 0 and not missed and #call('XRANGE', events_key, '(' .. delivered, latest_due, 'COUNT', 1) == 0
while not is_end and added < count and scanned < LONGEST_SCAN do
  local most = math.ceil(math.min(count - added, LONGEST_SCAN - scanned))
  if delay > 0 then
    most = #call('XRANGE', events_key, '(' .. delivered, latest_due, 'COUNT', most)
  end
  local reply = most > 0
    and call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', most, 'STREAMS', events_key, '>')
  local skipped = {}
  for _, entry in ipairs(reply and reply[1][2] or {}) do
    local id, fields = entry[1], entry[2]
    local entity, kind = subject_of(id, fields)
    delivered = id
    if kind and on ~= '' and not is_wanted[kind] then
      skipped[#skipped + 1], scanned = id, scanned + SKIP_COST
    else
      assign('e', id, entity)
    end
  end
  if #skipped > 0 then call('XACK', events_key, group, unpack(skipped)) end
  is_end = not reply
end
local following = is_end and delay > 0 and call('XRANGE', events_key, '(' .. delivered, '+', 'COUNT', 1)[1]
local due = following and math.max(0, string.match(following[1], '^%d+') + delay - now) or false

local gap = call('HGET', settings_key, 'lost:' .. consumer)
if gap then
  local first, to, size = string.match(gap, '^%d+ (%S+) (%S+) (%d+)$')
  gap = { first, to, size + 0 }
end
return { own, delivered, (has_left or not is_end) and 1 or 0, answered < since and 1 or 0, gap, now, due }
