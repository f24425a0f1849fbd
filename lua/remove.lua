#!lua
-- remove: deletes an entity, its log, its index entry and its timer.
--
-- KEYS
--   1 entity   {ns:p}:<machine>:id:<id>   hash    the entity
--   2 log      {ns:p}:<machine>:log:<id>  list    its last changes
--   3 machine  {ns:p}:<machine>:machine   hash    the compiled machine
--   4 index    {ns:p}:<machine>:index     zset    ids by state and age
--   5 due      {ns:p}:<machine>:due       zset    ids by their next timer
--   6 events   {ns:p}:<machine>:events    stream  the durable log
-- ARGV
--   1 id
--   IFVERSION n        the expected version
--   IFSTATE state      the expected state
--   OP id              the idempotency key, the same on every retry
--   ACTOR text         who makes the change
--   REASON text        why it is made
--   NOTAFTER ms        server time after which the call is rejected
--   SENT ms            on a retry: server time of the first attempt
-- Reply [outcome, document]
--   OK         the change: the last state of the entity, with the next version
--   REPLAYED   snapshot with opVersion: this key was applied before, on an entity that still exists
--   CONFLICT   snapshot: IFVERSION or IFSTATE does not hold
--   FORGOTTEN  snapshot: a retry that cannot be decided any more
--   EXPIRED    snapshot or null: NOTAFTER has passed
--   NOTFOUND   null: no such entity, perhaps because the first attempt removed it
-- Errors
--   BADARG <which>  NOMACHINE  LAYOUT  NOPERM <command>
-- Events
--   <machine>.removed

-- @include functions/json.lua
-- @include functions/names.lua
-- @include functions/iso.lua
-- @include functions/document.lua
-- @include steps/server.lua

-- 1 inputs
local entity_key, log_key, machine_key = KEYS[1], KEYS[2], KEYS[3]
local index_key, due_key, events_key = KEYS[4], KEYS[5], KEYS[6]
local id = ARGV[1]
local option = 2
-- @include steps/identity.lua
-- @include steps/options.lua
if set or unset or force then return redis.error_reply('BADARG option') end

-- 2 read: each key by a command of its type, so that a wrong type fails before any write
-- @include steps/entity.lua
call('LLEN', log_key)
call('ZCARD', index_key)
call('ZCARD', due_key)
call('XLEN', events_key)
-- @include steps/clock.lua
local row = call('HGET', machine_key, '-')
local last_removal = call('HGET', machine_key, 'removed')

-- 3 reject
if unknown then return redis.error_reply('LAYOUT another one than this script knows') end
-- @include steps/removal.lua
if not row then return redis.error_reply('NOMACHINE apply it first') end
if not_after and now > not_after then return { 'EXPIRED', snapshot(machine_key, id, entity) } end
if not state then return { 'NOTFOUND', false } end
-- @include steps/guards.lua
-- @include steps/rule.lua
local stamped, to, entered = iso(now), state, entity[8] + 0
-- @include steps/change.lua
-- @include steps/erase-rights.lua

-- 4 write
-- @include steps/erase.lua
return { 'OK', document }
