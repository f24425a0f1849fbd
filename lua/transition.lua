#!lua
-- transition: moves an entity to another state, if its machine has that transition.
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
--   2 to               the state to enter
--   SET field json     repeatable: an own field and its JSON text
--   UNSET field        repeatable
--   IFVERSION n        the expected version
--   IFSTATE state      the expected state
--   OP id              the idempotency key, the same on every retry
--   ACTOR text         who makes the change
--   REASON text        why it is made
--   NOTAFTER ms        server time after which the call is rejected
--   SENT ms            on a retry: server time of the first attempt
--   FORCE              allows any target state; all other checks apply; needs REASON
-- Reply [outcome, document]
--   OK         the change
--   REPLAYED   snapshot with opVersion: this key was applied before
--   ILLEGAL    snapshot: the machine has no such transition
--   CONFLICT   snapshot: IFVERSION or IFSTATE does not hold
--   MISSING    snapshot: a field that the state requires would be absent
--   FORGOTTEN  snapshot: a retry that cannot be decided any more
--   EXPIRED    snapshot or null: NOTAFTER has passed
--   NOTFOUND   null: no such entity
-- Errors
--   BADARG <which>  NOMACHINE  LAYOUT  NOPERM <command>
-- Events
--   the state's event

-- @include functions/json.lua
-- @include functions/names.lua
-- @include functions/iso.lua
-- @include functions/document.lua
-- @include steps/server.lua

-- 1 inputs
local entity_key, log_key, machine_key = KEYS[1], KEYS[2], KEYS[3]
local index_key, due_key, events_key = KEYS[4], KEYS[5], KEYS[6]
local id, to = ARGV[1], ARGV[2]
local option = 3
-- @include steps/identity.lua
if not to or #to > 32 or not find(to, '^%l[%w_-]*$') then return redis.error_reply('BADARG to') end
-- @include steps/options.lua
if force and not reason then return redis.error_reply('BADARG REASON') end

-- 2 read: each key by a command of its type, so that a wrong type fails before any write
-- @include steps/entity.lua
local logged = call('LLEN', log_key)
local timers = call('ZCARD', due_key)
call('ZCARD', index_key)
call('XLEN', events_key)
-- @include steps/clock.lua
local row = state and (call('HGET', machine_key, state .. '>' .. to)
  or force and call('HGET', machine_key, '>' .. to))

-- 3 reject
if unknown then return redis.error_reply('LAYOUT another one than this script knows') end
if not row and call('EXISTS', machine_key) == 0 then return redis.error_reply('NOMACHINE apply it first') end
if not_after and now > not_after then return { 'EXPIRED', snapshot(machine_key, id, entity) } end
if not state then return { 'NOTFOUND', false } end
-- @include steps/guards.lua
if not row then return { 'ILLEGAL', snapshot(machine_key, id, entity) } end
-- @include steps/rule.lua
local stamped, entered = iso(now), now
-- @include steps/fields.lua
-- @include steps/limits.lua
-- @include steps/change.lua
-- @include steps/ops.lua
local since, score = at, ordinal .. at -- ordinal * 10^13 + ms, which has 13 digits until 2286
local timer = due ~= '' and now + due -- time at which it fires, in ms
local called_off = not timer and timers > 0
local is_full = logged + trim >= 0
-- @include steps/rights.lua

-- 4 write
-- @include steps/commit.lua
return { 'OK', document }
