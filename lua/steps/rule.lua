-- Unpacks one row of the compiled machine as apply.lua packed it: everything that a change to a state needs, read by
-- one HGET. Words are separated by blanks, because a pattern splits those fastest. Leaves
--   ordinal   position of the state in the index
--   trim      index at which a full log is trimmed: -16
--   keep      number of entries that the stream keeps
--   due       ms from entry to the first timer, '' for none
--   channel   channel on which changes are published
--   stamp     field to stamp on first entry, '' for none
--   required  fields that must be present, commas between them
--   stamps    every stamp of the machine, commas between them
--   head      beginning of the document, up to the id
local ordinal, trim, keep, due, channel, stamp, required, stamps, head =
  string.match(row, '^2 (%d%d?%d?) (-%d+) (%d+) (%d*) (%S+) (%S*) (%S*) (%S*) ({"type":".*)$')
if not head then return redis.error_reply('LAYOUT another one than this script knows') end
