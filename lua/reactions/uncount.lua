#!lua
-- uncount: takes back a try that begin counted, where its replica was told to stop and no handler failed.
--
-- KEYS
--   1 events  2 dead  3 held  4 seen  5 rules  as in take
-- ARGV
--   1 group  2 consumer  3 mark and 4 id of the event  5 entity
--   6 try  what begin replied: a try is taken back once, however often that is asked for
-- Reply OK, or LOST: another has it, it is finished, or the try does not count any more
-- Errors
--   NOGROUP  NOPERM <command>
local call, match = redis.call, string.match
local held = KEYS[3]
local group, me, mark, id, entity, try = unpack(ARGV)
local stream = mark == 'e' and KEYS[1] or KEYS[2]

-- read
local row = call('XPENDING', stream, group, id, id, 1)[1]
if not row or row[2] ~= me then return 'LOST' end
local last, tries, first = match(call('HGET', held, entity) or '', '^%S+ (%S+) (%d+) (%d+)$')
if tries ~= try then return 'LOST' end
if not redis.acl_check_cmd('XCLAIM', stream, group, me, '0', id) then return redis.error_reply('NOPERM xclaim') end
if tries == '1' then first = '0' end

-- write
call('HSET', held, entity, me .. ' ' .. last .. ' ' .. (tries - 1) .. ' ' .. first)
call('XCLAIM', stream, group, me, 0, id, 'RETRYCOUNT', tries - 1, 'JUSTID')
return 'OK'
