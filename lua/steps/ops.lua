-- Remembers `op` in a ring of five. The one that was in its slot is forgotten, and its time is kept. Leaves the values
-- to write: `ops`, and `remembered` in the field `slot`, both unchanged if there is no `op`.
-- Takes `op`, `entity`, `next_version` and `at`.
local ops, slot, remembered = entity[10], entity[11], entity[12]
if op then
  local turn = string.byte(ops) - 48 -- its first character, 0 to 4
  local forgotten = entity[12 + 2 * turn]
  local forgotten_at = forgotten == '' and sub(ops, 3) or string.match(forgotten, '^%S+ %d+ (%d+)$')
  if not forgotten_at or #forgotten_at > 13 then
    return redis.error_reply('LAYOUT another one than this script knows')
  end
  ops = sub('12340', turn + 1, turn + 1) .. ' ' .. forgotten_at
  slot, remembered = entity[11 + 2 * turn], op .. ' ' .. next_version .. ' ' .. at
end
