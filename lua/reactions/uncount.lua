#!lua
-- uncount: takes back a try, where its replica was told to stop and no handler failed. A begin of that try that comes
-- later counts nothing.
--
-- KEYS
--   1 events  2 dead  3 held  4 seen  5 rules  as in take
-- ARGV
--   1 group  2 consumer  3 mark and 4 id of the event  5 entity
--   6 try   the number of the try, as begin was given it: it is taken back once, however often that is asked for
--   7 call  the number of this call, higher than that
-- Reply OK, or LOST: another has it, it is finished, or there was a later try
-- Errors
--   NOGROUP  NOPERM <command>
local call, match = redis.call, string.match
local held = KEYS[3]
local group, me, mark, id, entity, try, number = unpack(ARGV)
local stream = mark == 'e' and KEYS[1] or KEYS[2]
try, number = try + 0, number + 0

-- read
local row = call('XPENDING', stream, group, id, id, 1)[1]
if not row or row[2] ~= me then return 'LOST' end
local holder, last, noted, event, tries, first =
  match(call('HGET', held, entity) or '', '^(%S+) (%S+) (%d+) (%S+) (%d+) (%d+)$')
noted = holder == me and noted + 0 or 0
if number == noted then return 'OK' end
if try < noted then return 'LOST' end
if not redis.acl_check_cmd('XCLAIM', stream, group, me, '0', id) then return redis.error_reply('NOPERM xclaim') end
if event ~= mark .. id then event, tries, first = mark .. id, 0, '0' end
if try == noted then tries = tries - 1 end
if tries + 0 == 0 then first = '0' end

-- write
call('HSET', held, entity, table.concat({ me, last or mark .. id, number, event, tries, first }, ' '))
call('XCLAIM', stream, group, me, 0, id, 'RETRYCOUNT', tries, 'JUSTID')
return 'OK'
