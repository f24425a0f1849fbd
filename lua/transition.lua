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
--   IFVERSION n        only at this version
--   IFSTATE state      only from this state
--   OP id              this intended change, the same on every retry of it
--   ACTOR text         who
--   REASON text        why
--   NOTAFTER ms        server time after which nothing is done
--   SENT ms            on a retry: server time of the first attempt
--   FORCE              skips the table of transitions, not the checks; needs REASON
-- Reply [outcome, document]
--   OK         the change
--   REPLAYED   snapshot with opVersion: this op was done before
--   ILLEGAL    snapshot: the machine has no such transition
--   CONFLICT   snapshot: IFVERSION or IFSTATE does not hold
--   MISSING    snapshot: a field that the state requires would be absent
--   FORGOTTEN  snapshot: a retry that can't be judged any more
--   EXPIRED    snapshot or null: NOTAFTER has passed
--   NOTFOUND   null: no such entity
-- Errors
--   BADARG <which>  NOMACHINE  LAYOUT  NOPERM <command>
-- Events
--   the state's event

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
local id, to = ARGV[1], ARGV[2]
if not is_id(id, 128) then return redis.error_reply('BADARG id') end
if not is_state(to) then return redis.error_reply('BADARG to') end
if not are_keys(KEYS, id) then return redis.error_reply('BADARG keys') end
local given, wrong = read_options(ARGV, 3)
if not given then return redis.error_reply('BADARG ' .. wrong) end
if given.FORCE and not given.REASON then return redis.error_reply('BADARG REASON') end

-- 2 read: each key by a command of its type, so that a wrong one shows before any write
local entity = read_entity(entity_key)
local logged = redis.call('LLEN', log_key)
local timers = redis.call('ZCARD', due_key)
redis.call('ZCARD', index_key)
redis.call('XLEN', events_key)
local now = clock(entity and entity.at or 0)
local row = entity and (redis.call('HGET', machine_key, entity.state .. '>' .. to)
  or given.FORCE and redis.call('HGET', machine_key, '>' .. to))

-- 3 refuse
if entity == false then return redis.error_reply('LAYOUT another one than this script knows') end
if not row and redis.call('EXISTS', machine_key) == 0 then return redis.error_reply('NOMACHINE apply it first') end
local refusal = guard(entity_key, machine_key, id, entity, given, now)
if refusal then return refusal end
if not row then return { 'ILLEGAL', snapshot(machine_key, id, entity) } end
local rule = read_rule(row)
if not rule then return redis.error_reply('LAYOUT another one than this script knows') end
wrong = (given.SET or given.UNSET) and wrong_field(entity, given, rule.stamps)
if wrong then return redis.error_reply('BADARG ' .. wrong) end
if rule.required ~= '' and is_missing(entity, given, rule.required) then
  return { 'MISSING', snapshot(machine_key, id, entity) }
end
local change = plan_change(id, entity, given, rule, to, entity.state, nil, now)
change.score = rule.ordinal .. change.at -- ordinal * 10^13 + ms, whose 13 digits last until 2286
change.due = rule.due and now + rule.due
change.settled = timers > 0 and not rule.due
change.trim = logged >= rule.history
local right = lacks_right(KEYS, change)
if right then return redis.error_reply('NOPERM ' .. right) end

-- 4 write
commit(KEYS, id, change)
return { 'OK', change.document }
