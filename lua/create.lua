#!lua
-- create: creates an entity in the initial state of its machine.
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
--   SET field json     repeatable: an own field and its JSON text
--   OP id              the idempotency key, the same on every attempt
--   SEEN position      required with it: a position of the event log, known before the first attempt
--   ACTOR text         who makes the change
--   REASON text        why it is made
--   NOTAFTER ms        server time after which the call is rejected
--   DRYRUN             replies as if, and writes nothing
-- Reply [outcome, document, position]
--   OK         the change, and its position
--   REPLAYED   snapshot with opVersion: this key was applied before
--   FORGOTTEN  snapshot or null, and the log's end: it cannot be decided any more whether this key was applied
--   EXPIRED    snapshot or null: NOTAFTER has passed
--   EXISTS     snapshot: the id exists
--   MISSING    null: a field that the initial state requires is absent
-- Errors
--   BADARG <which>  NOMACHINE  LAYOUT  NOPERM <command>
-- Events
--   the initial state's event

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
local id = ARGV[1]
local option = 2
-- @include steps/identity.lua
-- @include steps/options.lua
if unset or if_version or if_state or force then return redis.error_reply('BADARG option') end

-- 2 read
-- @include steps/entity.lua
local op_at = op and state and call('LPOS', log_key, op)
-- @include steps/clock.lua
local to, row = string.match(call('HGET', machine_key, '>') or '', '^(%S*) (.*)$')

-- 3 reject
if is_damaged then return redis.error_reply(LAYOUT) end
if not row and call('EXISTS', machine_key) == 0 then return redis.error_reply(NOMACHINE) end
-- @include steps/repetition.lua
if state then return { 'EXISTS', snapshot(machine_key, id, entity), false } end
if not row then return redis.error_reply(LAYOUT) end
-- @include steps/rule.lua
local stamped, since, next_version = iso(now), now, 1
local has_limits, may_set_stamps, may_unset_stamps = true, false, false
-- @include steps/fields.lua
-- @include steps/change.lua
-- @include steps/probes.lua
-- A new entity begins with the position at which an earlier one of its id ended, or the newest end that was forgotten.
local forgot = removal_position(call('ZSCORE', index_key, id)) or call('HGET', machine_key, 'floor') or '0-0'
written = { 'created', stamped, 'ops:forgot', forgot, unpack(written) } -- in the order that steps/entity.lua expects
local times, score = at .. ' ' .. at .. ' 0', ordinal .. at -- as in transition.lua
local timer = due ~= '' and now + due
local called_off = not timer and timers > 0
-- @include steps/rights.lua
if dry_run then return { 'OK', document, false } end

-- 4 write
local position = '*' -- the server's choice
-- @include steps/commit.lua
return { 'OK', document, position }
