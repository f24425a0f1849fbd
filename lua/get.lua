#!lua flags=no-writes
-- get: reads an entity. It writes nothing, so it may be called by EVALSHA_RO.
--
-- KEYS
--   1 entity   {ns:p}:<machine>:id:<id>   hash    the entity
--   2 log      {ns:p}:<machine>:log:<id>  list    its last changes
--   3 machine  {ns:p}:<machine>:machine   hash    the compiled machine
--   4 index    {ns:p}:<machine>:index     zset    ids by state and age; tombstones of removed ids
--   5 due      {ns:p}:<machine>:due       zset    ids by their next timer
--   6 events   {ns:p}:<machine>:events    stream  the event log
-- ARGV
--   1 id
-- Reply [outcome, document, position]
--   OK        snapshot, with dueAt if a timer is set
--   NOTFOUND  null: no such entity
-- Errors
--   BADARG <which>  NOMACHINE  LAYOUT
-- Events
--   none

-- @include functions/iso.lua
-- @include functions/document.lua
-- @include steps/server.lua

-- 1 inputs
local entity_key, log_key, machine_key = KEYS[1], KEYS[2], KEYS[3]
local index_key, due_key, events_key = KEYS[4], KEYS[5], KEYS[6]
local id = ARGV[1]
-- @include steps/identity.lua
if ARGV[2] then return redis.error_reply('BADARG option') end

-- 2 read
-- @include steps/entity.lua
local due_at = state and tonumber(call('ZSCORE', due_key, id) or nil)

-- 3 reject
if is_damaged then return redis.error_reply(LAYOUT) end
if not state then
  if call('EXISTS', machine_key) == 0 then return redis.error_reply(NOMACHINE) end
  return { 'NOTFOUND', false, false }
end
if due_at and not (due_at >= 0 and due_at < 1e13) then due_at = nil end -- written by hand; fsck reports it
return { 'OK', snapshot(machine_key, id, entity, due_at and ',"dueAt":"' .. iso(due_at) .. '"'), false }
