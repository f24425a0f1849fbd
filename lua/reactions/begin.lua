#!lua
-- begin: gives an event to its handler and counts the try, if it is still this consumer's.
-- Asked again with the same call, it counts nothing more; nor where it comes later than a later call of this entity.
--
-- KEYS
--   1 events  2 dead  3 held  4 seen  5 rules  as in take
-- ARGV
--   1 group  2 consumer  3 mark and 4 id of the event  5 entity
--   6 call  the number of this try: higher than those of all that this consumer asked for before
--   7 most  how many tries there are; where all were made, this is none
-- Reply [tries, document, spent], this one included; spent is 1 where this is none, and document null where the log was
--   trimmed past it; or LOST: another has it, it is finished, or this call is an old one
-- Errors
--   NOGROUP  NOPERM <command>
local call, match = redis.call, string.match
local held = KEYS[3]
local group, me, mark, id, entity, number, most = unpack(ARGV)
local stream = mark == 'e' and KEYS[1] or KEYS[2]
number, most = number + 0, most + 0

-- read
local row = call('XPENDING', stream, group, id, id, 1)[1]
if not row or row[2] ~= me then return 'LOST' end
local found = call('XRANGE', stream, id, id)[1]
local document = false
for i = 1, found and #found[2] or 0, 2 do
  if found[2][i] == 'doc' then document = found[2][i + 1] end
end
local holder, last, noted, event, tries, first =
  match(call('HGET', held, entity) or '', '^(%S+) (%S+) (%d+) (%S+) (%d+) (%d+)$')
noted = holder == me and noted + 0 or 0
if number < noted then return 'LOST' end
if event ~= mark .. id then tries, first = 0, '0' end
tries = tries + 0
if number == noted then return { tries, document, 0 } end
if not document or tries >= most then return { tries, document, 1 } end

-- write
if first == '0' then
  local time = call('TIME')
  first = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end
tries = tries + 1
call('HSET', held, entity, table.concat({ me, last or mark .. id, number, mark .. id, tries, first }, ' '))
call('XCLAIM', stream, group, me, 0, id, 'RETRYCOUNT', tries, 'JUSTID')
return { tries, document, 0 }
