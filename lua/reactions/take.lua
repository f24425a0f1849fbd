#!lua
-- take: tells that a replica lives, takes over what dead ones left, and gives out new events of a reaction.
--
-- An entity whose events are not all finished has a holder, the one consumer that handles them: whoever takes a later
-- event of it hands it to the holder. So each entity's events are handled one after the other, in their order.
-- What an answer tells that was lost, the next one tells too; a call that comes later than a later one is refused.
--
-- KEYS
--   1 events  {ns:p}:<machine>:events                stream  the durable log; the reaction is a group on it
--   2 dead    {ns:p}:<machine>:reaction:<name>:dead  stream  what was given up; the same group, for what is retried
--   3 held    {ns:p}:<machine>:reaction:<name>:held  hash    entity to `consumer last call
--             event tries first`: who handles its events, the last of them, its latest call, and the tries of an event
--   4 seen    {ns:p}:<machine>:reaction:<name>:seen  zset    consumers by when they were last here, in ms
--   5 rules   {ns:p}:<machine>:reaction:<name>:rules  hash   `on`: the types that all consumers want, blanks between;
--             `idle`: ms as below, as one of them told it last; `of:<consumer>`: `since call changed`, the calls of
--             take since which nothing was taken from it, that it made last, and in which it last took over;
--             `lost:<consumer>`: `call from to count`, what the log lost, and the call that it was last told in;
--             after forget nothing but `forgotten`: when that was
-- ARGV
--   1 group
--   2 consumer
--   3 count     how many new events it has room for; -1 only tells that it is there
--   4 after     the last of its own events that it knows of; 0-0 asks for all of them
--   5 ms        consumers that were not here for so long are dead
--   6 known     until when, in ms, it is known here if the reaction was forgotten since this consumer was last there; 0
--               where it never was
--   7 call      the number of this call: higher than those of all that this consumer asked for before
--   8 told      the number of the last call whose answer it has; 0 for none
--   9 …         types of events that are wanted, sorted; none stands for all
-- Reply [events, delivered, more, stale, after, lost, now]
--   events     [mark, id, entity] each, in the order in which they are to be handled; mark is e (events) or d (dead);
--              one that is known already may come again
--   delivered  the id up to which the log was given out
--   more       1 where there may be further new events
--   stale      1 where others may have taken its events over since the call that it was told in
--   after      the last of its own events by now, as argument of the next call
--   lost       [from, to, count] where the log was trimmed past events that nobody had handled; count 0 is unknown
--   now        the server's time in ms
-- Errors
--   NOGROUP  NOPERM <command>
--   FORGOTTEN        instead of NOGROUP, where the reaction was forgotten
--   OLDCALL          a later call of this consumer came before
--   GONE             the same, where it can't be told any more whether it was forgotten or lost
--   OTHERON <types>  other consumers live and want others: who takes an event decides for all whether it is wanted
local call, match, format = redis.call, string.match, string.format
local events, dead, held, seen, rules = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local group, me, count, after, idle, known = ARGV[1], ARGV[2], ARGV[3] + 0, ARGV[4], ARGV[5] + 0, ARGV[6] + 0
local number, told = ARGV[7] + 0, ARGV[8] + 0
local is_wanted
for i = 9, #ARGV do
  is_wanted = is_wanted or {}
  is_wanted[ARGV[i]] = true
end
local on = table.concat(ARGV, ' ', 9)
local stream_of = { e = events, d = dead }
local SCAN = 500 -- new events looked at in one call

local function facts(flat)
  local named = {}
  for i = 1, #flat, 2 do named[flat[i]] = flat[i + 1] end
  return named
end
local function subject(fields)
  for i = 1, #fields, 2 do
    if fields[i] == 'doc' then
      local kind, id = match(fields[i + 1], '^{"type":"([^"]*)","machine":"[^"]*","id":"([^"]*)"')
      return id, kind
    end
  end
end

-- read
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local groups = redis.pcall('XINFO', 'GROUPS', events)
local place
for _, flat in ipairs(groups.err and {} or groups) do
  local one = facts(flat)
  if one.name == group then place = one end
end
if not place then
  if call('HGET', rules, 'forgotten') then return redis.error_reply('FORGOTTEN the reaction was forgotten') end
  if known > 0 and now > known then return redis.error_reply('GONE the reaction was forgotten or lost') end
  return redis.error_reply('NOGROUP there is no such reaction')
end
for _, command in ipairs({
  { 'XREADGROUP', 'GROUP', group, me, 'STREAMS', events, '>' }, { 'XACK', events, group, '1-1' },
  { 'XCLAIM', events, group, me, '0', '1-1' }, { 'XADD', dead, '*', 'f', 'v' }, { 'HSET', held, 'f', 'v' },
  { 'DEL', rules }, { 'HSET', rules, 'f', 'v' }, { 'HDEL', rules, 'f' },
  { 'ZADD', seen, '1', me }, { 'XGROUP', 'DELCONSUMER', events, group, me }, { 'ZREM', seen, me },
}) do
  if not redis.acl_check_cmd(unpack(command)) then
    return redis.error_reply('NOPERM ' .. string.lower(command[1]))
  end
end
local since, latest, changed = match(call('HGET', rules, 'of:' .. me) or '', '^(%d+) (%d+) (%d+)$')
if latest and number <= latest + 0 then return redis.error_reply('OLDCALL a later one came before') end
since, changed = (since or number) + 0, (changed or number) + 0
local function is_alive(consumer)
  if consumer == me then return true end
  local ms = call('ZSCORE', seen, consumer)
  return ms and ms + 0 > now - idle
end
local noted, noted_idle = unpack(call('HMGET', rules, 'on', 'idle'))
if noted and noted ~= on then
  for _, consumer in ipairs(call('ZRANGEBYSCORE', seen, '(' .. format('%.0f', now - idle), '+inf')) do
    if consumer ~= me then return redis.error_reply('OTHERON ' .. noted) end
  end
end
local lost_in, lost_from, lost_to, lost_count =
  match(call('HGET', rules, 'lost:' .. me) or '', '^(%d+) (%S+) (%S+) (%d+)$')
local is_told = lost_in and lost_in + 0 <= told
if is_told then lost_from = nil end
local function lose(from, to, n)
  call('XADD', dead, '*', 'lost', from, 'to', to, 'count', n, 'last', format('%.0f', now))
  lost_from, lost_to, lost_count = lost_from or from, to, (lost_from and lost_count or 0) + n
end
local given = {}
local function hold(mark, id, entity, who)
  local holder, latest_call, counts = match(call('HGET', held, entity) or '', '^(%S+) %S+ (%d+) (%S+ %d+ %d+)$')
  if holder ~= who then latest_call = number end -- of a new one no earlier call counts
  call('HSET', held, entity, table.concat({ who, mark .. id, latest_call, counts or mark .. id .. ' 0 0' }, ' '))
end
local function note()
  call('HSET', rules, 'of:' .. me, format('%.0f %.0f %.0f', since, number, changed))
  if lost_from then
    call('HSET', rules, 'lost:' .. me, table.concat({ ARGV[7], lost_from, lost_to, lost_count }, ' '))
  elseif is_told then call('HDEL', rules, 'lost:' .. me) end
end
local function forget(consumer)
  call('HDEL', rules, 'of:' .. consumer, 'lost:' .. consumer)
end

-- write: alive
call('ZADD', seen, format('%.0f', now), me)
if noted ~= on then
  call('DEL', rules) -- with it what is left of one of this name that was forgotten, and when that ends
  call('HSET', rules, 'on', on, 'idle', ARGV[5])
elseif noted_idle ~= ARGV[5] then call('HSET', rules, 'idle', ARGV[5]) end
if count < 0 then
  -- Behind all ids: gives nothing, but makes the consumer, so that the others find it when it dies.
  call('XREADGROUP', 'GROUP', group, me, 'COUNT', 1, 'STREAMS', events, '18446744073709551615-0')
  note()
  return { {}, place['last-delivered-id'], 0, 1, after, false, now }
end

-- write: what dead consumers left, all of it at once, so that no entity's events are torn apart
local left = {}
for _, mark in ipairs({ 'e', 'd' }) do
  local stream = stream_of[mark]
  for _, flat in ipairs(call('XINFO', 'CONSUMERS', stream, group)) do
    local one = facts(flat)
    if not is_alive(one.name) then
      local from = '-'
      while one.pending > 0 do
        local rows = call('XPENDING', stream, group, from, '+', 1000, one.name)
        for _, row in ipairs(rows) do
          local ms, sequence = match(row[1], '^(%d+)-(%d+)$')
          left[#left + 1] = { mark = mark, id = row[1], ms = ms + 0, sequence = sequence + 0, from = one.name }
        end
        if #rows < 1000 then break end
        from = '(' .. rows[1000][1]
      end
    end
  end
end
table.sort(left, function(a, b)
  if a.mark ~= b.mark then return a.mark == 'e' end
  if a.ms ~= b.ms then return a.ms < b.ms end
  return a.sequence < b.sequence
end)
for _, entry in ipairs(left) do
  local stream, id = stream_of[entry.mark], entry.id
  local found = call('XRANGE', stream, id, id)[1]
  local entity = found and subject(found[2])
  if not entity then
    forget(entry.from)
    call('XACK', stream, group, id)
    if not found and entry.mark == 'e' then lose(id, id, 1) end
  else
    local holder = match(call('HGET', held, entity) or '', '^%S+')
    -- Held by another that lives: it comes and takes it over itself, behind what it has of this entity.
    if not holder or holder == me or not is_alive(holder) then
      forget(entry.from)
      call('XCLAIM', stream, group, me, 0, id, 'JUSTID')
      hold(entry.mark, id, entity, me)
      changed = number
    end
  end
end
for _, mark in ipairs({ 'e', 'd' }) do
  for _, flat in ipairs(call('XINFO', 'CONSUMERS', stream_of[mark], group)) do
    local one = facts(flat)
    if one.pending == 0 and not is_alive(one.name) then
      call('XGROUP', 'DELCONSUMER', stream_of[mark], group, one.name)
      call('ZREM', seen, one.name)
      forget(one.name)
    end
  end
end

-- write: new events
local delivered, more = place['last-delivered-id'], 0
if count > 0 then
  if #call('XRANGE', events, delivered, delivered) == 0 then
    local info = facts(call('XINFO', 'STREAM', events))
    local trimmed = info['entries-added'] - info.length
    local read = place['entries-read']
    local first = call('XRANGE', events, '-', '+', 'COUNT', 1)[1]
    local behind = first and first[1] or info['last-generated-id']
    if trimmed > 0 and behind ~= delivered and not (read and read == trimmed) then
      lose(delivered, behind, read and math.max(trimmed - read, 0) or 0)
      if not first then
        call('XGROUP', 'SETID', events, group, behind, 'ENTRIESREAD', trimmed)
        delivered = behind
      end
    end
  end
  local kept, scanned = 0, 0
  more = 1
  while kept < count and scanned < SCAN do
    local reply = call('XREADGROUP', 'GROUP', group, me, 'COUNT', count - kept, 'STREAMS', events, '>')
    if not reply then
      more = 0
      break
    end
    local others = {}
    for _, entry in ipairs(reply[1][2]) do
      local id, entity, kind = entry[1], subject(entry[2])
      delivered, scanned = id, scanned + 1
      if not entity or is_wanted and not is_wanted[kind] then others[#others + 1] = id
      else
        local holder = match(call('HGET', held, entity) or '', '^%S+')
        if not holder or not is_alive(holder) then holder = me end -- all that a dead one had was taken over above
        if holder ~= me then call('XCLAIM', events, group, holder, 0, id, 'JUSTID') else kept = kept + 1 end
        hold('e', id, entity, holder)
      end
    end
    if #others > 0 then call('XACK', events, group, unpack(others)) end
  end
end

-- write: all of its own behind what it knows, whoever handed it over; where it may not know all before that, all
local function own(mark, from)
  local last = from
  local reply = call('XREADGROUP', 'GROUP', group, me, 'COUNT', 1000, 'STREAMS', stream_of[mark], from)
  local rows = reply and reply[1][2] or {}
  for _, entry in ipairs(rows) do
    last = entry[1]
    local fields = entry[2]
    local entity = fields and subject(fields)
    if entity or not fields then
      given[#given + 1] = { mark, entry[1], entity or '' } -- one that was trimmed away, whoever begins it is told so
    else call('XACK', stream_of[mark], group, entry[1]) end
  end
  return last, #rows == 1000
end
local is_all = told < changed or after == '0-0'
local last, is_more = own('e', is_all and '0-0' or after)
if is_more then more = 1 end
if is_all then
  local from = '0-0'
  repeat from, is_more = own('d', from) until not is_more
end
note()
return { given, delivered, more, told < since and 1 or 0, last, lost_from and { lost_from, lost_to, lost_count + 0 }
  or false, now }
