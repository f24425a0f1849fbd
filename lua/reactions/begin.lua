#!lua
-- begin: gives an event to its handler and counts the try, if it is still this consumer's.
--
-- KEYS
--   1 events  2 dead  3 held  4 seen  5 rules  as in take
-- ARGV
--   1 group  2 consumer  3 mark and 4 id of the event  5 entity
-- Reply [tries, document], this one included; or LOST: another has it, or it is finished or was trimmed away
-- Errors
--   NOGROUP  NOPERM <command>
local call, match = redis.call, string.match
local held = KEYS[3]
local group, me, mark, id, entity = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local stream = mark == 'e' and KEYS[1] or KEYS[2]

-- read
local row = call('XPENDING', stream, group, id, id, 1)[1]
if not row or row[2] ~= me then return 'LOST' end
local last, tries, first = match(call('HGET', held, entity) or '', '^%S+ (%S+) (%d+) (%d+)$')
last, tries, first = last or mark .. id, (tries or 0) + 1, first or '0'
local time = call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
if first == '0' then first = now end
local found = call('XRANGE', stream, id, id)[1]
local document
for i = 1, found and #found[2] or 0, 2 do
  if found[2][i] == 'doc' then document = found[2][i + 1] end
end

-- write
if not document then
  if not redis.acl_check_cmd('XADD', KEYS[2], '*', 'f', 'v') then return redis.error_reply('NOPERM xadd') end
  call('XADD', KEYS[2], '*', 'lost', id, 'to', id, 'count', 1, 'last', now)
  call('XACK', stream, group, id)
  if last == mark .. id then call('HDEL', held, entity) end
  return 'LOST'
end
call('HSET', held, entity, me .. ' ' .. last .. ' ' .. tries .. ' ' .. first)
call('XCLAIM', stream, group, me, 0, id, 'RETRYCOUNT', tries, 'JUSTID')
return { tries, document }
