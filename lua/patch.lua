#!lua
-- patch: changes an entity's own fields; its state and its timers stay.
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
--   IFVERSION n        only at this version
--   IFSTATE state      only from this state
--   OP id              this intended change, the same on every retry of it
--   ACTOR text         who
--   REASON text        why
--   NOTAFTER ms        server time after which nothing is done
--   SENT ms            on a retry: server time of the first attempt
-- Reply [outcome, document]
--   OK         the change
--   REPLAYED   snapshot with opVersion: this op was done before
--   CONFLICT   snapshot: IFVERSION or IFSTATE does not hold
--   MISSING    snapshot: a field that the state requires would be absent
--   FORGOTTEN  snapshot: a retry that can't be judged any more
--   EXPIRED    snapshot or null: NOTAFTER has passed
--   NOTFOUND   null: no such entity
-- Errors
--   BADARG <which>  NOMACHINE  LAYOUT  NOPERM <command>
-- Events
--   <machine>.updated

-- @include shared/text.lua
-- @include shared/json.lua
-- @include shared/names.lua
-- @include shared/options.lua
-- @include shared/clock.lua
-- @include shared/machine.lua
-- @include shared/entity.lua
-- @include shared/document.lua
-- @include shared/guards.lua
-- @include shared/fields.lua
-- @include shared/change.lua
-- @include shared/commit.lua

-- 1 inputs
local entity_key, log_key, machine_key = KEYS[1], KEYS[2], KEYS[3]
local index_key, due_key, events_key = KEYS[4], KEYS[5], KEYS[6]
local id = ARGV[1]
if not is_id(id, 128) then return redis.error_reply('BADARG id') end
if not are_keys(KEYS, id) then return redis.error_reply('BADARG keys') end
local given, wrong = read_options(ARGV, 2)
if not given then return redis.error_reply('BADARG ' .. wrong) end
if given.FORCE then return redis.error_reply('BADARG option') end
if not (given.SET or given.UNSET) then return redis.error_reply('BADARG SET') end

-- 2 read: each key by a command of its type, so that a wrong one shows before any write
local entity = read_entity(entity_key)
local logged = redis.call('LLEN', log_key)
redis.call('ZCARD', index_key)
redis.call('ZCARD', due_key)
redis.call('XLEN', events_key)
local now = clock(entity and entity.at or 0)
local row = entity and redis.call('HGET', machine_key, '=' .. entity.state)

-- 3 refuse
if entity == false then return redis.error_reply('LAYOUT another one than this script knows') end
if not row and redis.call('EXISTS', machine_key) == 0 then return redis.error_reply('NOMACHINE apply it first') end
local refusal = guard(entity_key, machine_key, id, entity, given, now)
if refusal then return refusal end
local rule = row and read_rule(row)
if not rule then return redis.error_reply('LAYOUT another one than this script knows') end
wrong = wrong_field(entity, given, rule.stamps)
if wrong then return redis.error_reply('BADARG ' .. wrong) end
if is_missing(entity, given, rule.required) then
  return { 'MISSING', snapshot(machine_key, id, entity) }
end
local change = plan_change(id, entity, given, rule, entity.state, entity.state, entity.since, now)
change.trim = logged >= rule.history
local right = lacks_right(KEYS, change)
if right then return redis.error_reply('NOPERM ' .. right) end

-- 4 write
commit(KEYS, id, change)
return { 'OK', change.document }
