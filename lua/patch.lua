#!lua
-- patch: changes an entity's own fields, but not its state or its timers.
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
--   SET field json     repeatable: an own field and its JSON text
--   UNSET field        repeatable; at least one SET or UNSET
--   IFVERSION n        the expected version
--   IFSTATE state      the expected state
--   OP id              the idempotency key, the same on every retry
--   ACTOR text         who makes the change
--   REASON text        why it is made
--   NOTAFTER ms        server time after which the call is rejected
--   SENT ms            on a retry: server time of the first attempt
-- Reply [outcome, document]
--   OK         the change
--   REPLAYED   snapshot with opVersion: this key was applied before
--   CONFLICT   snapshot: IFVERSION or IFSTATE does not hold
--   MISSING    snapshot: a field that the state requires would be absent
--   FORGOTTEN  snapshot: a retry that cannot be decided any more
--   EXPIRED    snapshot or null: NOTAFTER has passed
--   NOTFOUND   null: no such entity
-- Errors
--   BADARG <which>  NOMACHINE  LAYOUT  NOPERM <command>
-- Events
--   <machine>.updated

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
if force then return redis.error_reply('BADARG option') end
if not (set or unset) then return redis.error_reply('BADARG SET') end

-- 2 read: each key by a command of its type, so that a wrong type fails before any write
-- @include steps/entity.lua
local logged = call('LLEN', log_key)
call('ZCARD', index_key)
call('ZCARD', due_key)
call('XLEN', events_key)
-- @include steps/clock.lua
local row = state and call('HGET', machine_key, '=' .. state)

-- 3 reject
if unknown then return redis.error_reply('LAYOUT another one than this script knows') end
if not row and call('EXISTS', machine_key) == 0 then return redis.error_reply('NOMACHINE apply it first') end
if not_after and now > not_after then return { 'EXPIRED', snapshot(machine_key, id, entity) } end
if not state then return { 'NOTFOUND', false } end
-- @include steps/guards.lua
if not row then return redis.error_reply('LAYOUT another one than this script knows') end
-- @include steps/rule.lua
local stamped, to, entered = iso(now), state, entity[8] + 0
-- @include steps/fields.lua
-- @include steps/limits.lua
-- @include steps/change.lua
-- @include steps/ops.lua
local since, score, timer, called_off = entity[8], nil, nil, nil -- state and timers do not change
local is_full = logged + trim >= 0
-- @include steps/rights.lua

-- 4 write
-- @include steps/commit.lua
return { 'OK', document }
