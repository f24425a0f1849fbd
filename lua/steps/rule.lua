-- One row of the compiled machine, as apply.lua packed it: everything a change into a state needs to know, read by
-- one HGET. Words between blanks, because a pattern splits those fastest. Leaves
--   ordinal   position of the state in the index
--   trim      where the entity's log begins once it is full: -16
--   keep      entries the machine's stream keeps
--   due       ms from entry to the first timer, '' for none
--   channel   where changes are published
--   stamp     field to stamp on first entry, '' for none
--   required  fields that must be present, commas between them
--   stamps    every stamp of the machine, commas between them
--   head      how every document of this change begins, up to the id
local ordinal, trim, keep, due, channel, stamp, required, stamps, head =
  string.match(row, '^2 (%d%d?%d?) (-%d+) (%d+) (%d*) (%S+) (%S*) (%S*) (%S*) ({"type":".*)$')
if not head then return redis.error_reply('LAYOUT another one than this script knows') end
