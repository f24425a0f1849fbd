#!lua
-- transition: moves an entity to another state, if its machine has that transition.
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
--   2 to               the state to enter
--   SET field json     repeatable: an own field and its JSON text
--   UNSET field        repeatable
--   IFVERSION n        the expected version
--   IFSTATE state      the expected state
--   OP id              the idempotency key, the same on every attempt
--   SEEN position      required with it: a position of the event log, known before the first attempt
--   ACTOR text         who makes the change
--   REASON text        why it is made
--   NOTAFTER ms        server time after which the call is rejected
--   FORCE              allows any target state, and UNSET of stamps; all other checks apply; needs REASON
--   DRYRUN             replies as if, and writes nothing
-- Reply [outcome, document, position]
--   OK         the change, and its position
--   REPLAYED   snapshot with opVersion: this key was applied before
--   FORGOTTEN  snapshot or null, and the log's end: it cannot be decided any more whether this key was applied
--   EXPIRED    snapshot or null: NOTAFTER has passed
--   NOTFOUND   null: no such entity
--   CONFLICT   snapshot: IFVERSION or IFSTATE does not hold
--   ILLEGAL    snapshot: the machine has no such transition
--   MISSING    snapshot: a field that the state requires would be absent
-- Errors
--   BADARG <which>  NOMACHINE  LAYOUT  NOPERM <command>
-- Events
--   the state's event

-- @include functions/json.lua
-- @include functions/names.lua
-- @include functions/iso.lua
-- @include functions/document.lua
-- @include functions/position.lua
-- @include functions/effect.lua
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

-- 2 read
-- @include steps/entity.lua
local op_at = op and state and call('LPOS', log_key, op)
-- @include steps/clock.lua
local row = state and (call('HGET', machine_key, state .. '>' .. to)
  or force and call('HGET', machine_key, '>' .. to))

-- 3 reject
if is_damaged then return redis.error_reply(LAYOUT) end
if not row and call('EXISTS', machine_key) == 0 then return redis.error_reply(NOMACHINE) end
-- @include steps/repetition.lua
if not state then return { 'NOTFOUND', false, false } end
-- @include steps/conditions.lua
if not row then return { 'ILLEGAL', snapshot(machine_key, id, entity), false } end
-- @include steps/rule.lua
local stamped, since, next_version = iso(now), now, version + 1
local has_limits, may_set_stamps, may_unset_stamps = true, false, force
-- @include steps/fields.lua
-- @include steps/change.lua
-- @include steps/probes.lua
local times, score = at .. ' ' .. at .. ' 0', ordinal .. at -- ordinal * 10^13 + ms, which has 13 digits until 2286
local timer = due ~= '' and now + due -- the time at which it fires, in ms
local called_off = not timer and timers > 0
-- @include steps/rights.lua
if dry_run then return { 'OK', document, false } end

-- 4 write
local position = '*' -- the server's choice
-- @include steps/commit.lua
return { 'OK', document, position }
