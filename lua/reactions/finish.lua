#!lua
-- finish: takes an event off the reaction's list, as handled or as a dead letter, if it is still this consumer's.
-- Asked again with the same call, it says the same.
--
-- KEYS
--   1 events  2 dead  3 held  4 seen  5 rules  as in take
-- ARGV
--   1 group  2 consumer  3 mark and 4 id of the event  5 entity
--   6 try   the number that begin was given
--   7 call  the number of this call: higher than those of all that this consumer asked for before
--   8 next  mark and id of the event of this entity that it handles then; empty where it knows none
--   9 how   done; dead: it is given up; lost: the log was trimmed past it
--   10 error  11 document  where it is given up: both go into the dead letter
-- Reply OK, or LOST: another has it, or may have had it since the try began
-- Errors
--   NOGROUP  NOPERM <command>
local call, match = redis.call, string.match
local dead, held, rules = KEYS[2], KEYS[3], KEYS[5]
local group, me, mark, id, entity, try, number, following, how, problem, document = unpack(ARGV)
local streams = { e = KEYS[1], d = dead }
local stream = streams[mark]
number = number + 0
local function is_mine(event)
  local from, at = match(event, '^([ed])(.+)$')
  local row = from and call('XPENDING', streams[from], group, at, at, 1)[1]
  return row and row[2] == me
end

-- read
local row = call('XPENDING', stream, group, id, id, 1)[1]
if not row then
  -- Nobody has it. Where nothing was taken from this consumer since the try began, it has finished it itself.
  local since = match(call('HGET', rules, 'of:' .. me) or '', '^%d+')
  return since and since + 0 < try + 0 and 'OK' or 'LOST'
end
if row[2] ~= me then return 'LOST' end
local holder, last, noted, event, tries, first =
  match(call('HGET', held, entity) or '', '^(%S+) (%S+) (%d+) (%S+) (%d+) (%d+)$')
if holder == me and number < noted + 0 then return 'LOST' end
for _, command in ipairs({ { 'XADD', dead, '*', 'f', 'v' }, { 'XACK', stream, group, id }, { 'XDEL', dead, id },
  { 'HDEL', held, entity }, { 'HSET', held, entity, 'v' } }) do
  if not redis.acl_check_cmd(unpack(command)) then
    return redis.error_reply('NOPERM ' .. string.lower(command[1]))
  end
end

-- write
if how ~= 'done' then
  local time = call('TIME')
  local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  if event ~= mark .. id then tries, first = '0', now end
  if how == 'lost' then
    if mark == 'e' then call('XADD', dead, '*', 'lost', id, 'to', id, 'count', 1, 'last', now) end
  else
    call('XADD', dead, '*', 'doc', document, 'error', problem, 'tries', tries, 'first', first, 'last', now)
  end
end
call('XACK', stream, group, id)
if mark == 'd' then call('XDEL', dead, id) end
if holder == me then
  -- Free for anyone where this was its last event, or the last one is finished otherwise.
  if last == mark .. id or not is_mine(last) then last = is_mine(following) and following end
  if last then call('HSET', held, entity, table.concat({ me, last, number, last, 0, 0 }, ' '))
  else call('HDEL', held, entity) end
end
return 'OK'
