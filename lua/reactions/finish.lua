#!lua
-- finish: takes an event off the reaction's list, as handled or as a dead letter, if it is still this consumer's.
--
-- KEYS
--   1 events  2 dead  3 held  4 seen  5 rules  as in take
-- ARGV
--   1 group  2 consumer  3 mark and 4 id of the event  5 entity
--   6 error  7 document  where it is given up: both go into the dead letter
-- Reply OK, or LOST: another has it, or it is finished
-- Errors
--   NOGROUP  NOPERM <command>
local call, match = redis.call, string.match
local dead, held = KEYS[2], KEYS[3]
local group, me, mark, id, entity, problem, document = unpack(ARGV)
local streams = { e = KEYS[1], d = dead }
local stream = streams[mark]

-- read
local row = call('XPENDING', stream, group, id, id, 1)[1]
if not row or row[2] ~= me then return 'LOST' end
local holder, last, tries, first = match(call('HGET', held, entity) or '', '^(%S+) (%S+) (%d+) (%d+)$')
for _, command in ipairs({ { 'XADD', dead, '*', 'f', 'v' }, { 'XACK', stream, group, id }, { 'XDEL', dead, id },
  { 'HDEL', held, entity }, { 'HSET', held, entity, 'v' } }) do
  if not redis.acl_check_cmd(unpack(command)) then
    return redis.error_reply('NOPERM ' .. string.lower(command[1]))
  end
end

-- write
if problem then
  local time = call('TIME')
  local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  call('XADD', dead, '*', 'doc', document, 'error', problem, 'tries', tries or '1', 'first', first or now, 'last', now)
end
call('XACK', stream, group, id)
if mark == 'd' then call('XDEL', dead, id) end
if holder == me then
  -- Free for anyone where this was its last event, or the last one is finished otherwise.
  local is_open = last ~= mark .. id
    and #call('XPENDING', streams[string.sub(last, 1, 1)], group, string.sub(last, 2), string.sub(last, 2), 1) > 0
  if is_open then call('HSET', held, entity, me .. ' ' .. last .. ' 0 0') else call('HDEL', held, entity) end
end
return 'OK'
