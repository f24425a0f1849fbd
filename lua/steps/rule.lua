-- Unpacks one row of the compiled machine as apply.lua packed it: everything that a change to a state needs, read by
-- one HGET. The numbers are matched, because a wrong one must not reach a write; struct splits words fastest. Leaves
--   ordinal    position of the state in the index
--   keep       number of entries that the event log keeps
--   log_size   number of elements that an entity's own log keeps: two for each change
--   due        ms from entry to the first timer, '' for none
--   channel    channel on which changes are published
--   stamp      field to stamp on first entry, '' for none
--   required   fields that must be present, commas between them
--   stamps     every stamp of the machine, commas between them
--   event      type of the change
--   head       what follows the type in a document, up to the id
local ordinal, keep, log_size, due = string.match(row, '^3 (%d%d?%d?) (%d+) (%d+) (%d*)%z')
local is_row, _, channel, stamp, required, stamps, event, head = pcall(struct.unpack, 'sssssss', row)
if not ordinal or not is_row then return redis.error_reply(LAYOUT) end
