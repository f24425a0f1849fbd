#!lua
-- create: creates an entity in the initial state of its machine.
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
--   OP id              the idempotency key, the same on every retry
--   ACTOR text         who makes the change
--   REASON text        why it is made
--   NOTAFTER ms        server time after which the call is rejected
--   SENT ms            on a retry: server time of the first attempt
-- Reply [outcome, document]
--   OK         the change
--   REPLAYED   snapshot with opVersion: this key was applied before
--   EXISTS     snapshot: the id exists
--   MISSING    null: a field that the initial state requires is absent
--   FORGOTTEN  snapshot or null: a retry that cannot be decided any more
--   EXPIRED    snapshot or null: NOTAFTER has passed
-- Errors
--   BADARG <which>  NOMACHINE  LAYOUT  NOPERM <command>
-- Events
--   the initial state's event

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
if unset or if_version or if_state or force then return redis.error_reply('BADARG option') end

-- 2 read: each key by a command of its type, so that a wrong type fails before any write
-- @include steps/entity.lua
local logged = call('LLEN', log_key)
local timers = call('ZCARD', due_key)
call('ZCARD', index_key)
call('XLEN', events_key)
-- @include steps/clock.lua
local to, row = string.match(call('HGET', machine_key, '>') or '', '^(%S*) (.*)$')
local last_removal = call('HGET', machine_key, 'removed') -- time of the latest removal, in ms

-- 3 reject
if unknown or last_removal and not (find(last_removal, '^%d+$') and #last_removal <= 13) then
  return redis.error_reply('LAYOUT another one than this script knows')
end
if not row then return redis.error_reply('NOMACHINE apply it first') end
if not_after and now > not_after then return { 'EXPIRED', snapshot(machine_key, id, entity) } end
if state then
-- @include steps/guards.lua
  return { 'EXISTS', snapshot(machine_key, id, entity) }
end
if sent and last_removal and (sent > now or last_removal + 0 >= sent) then return { 'FORGOTTEN', false } end
-- A new entity is later than any removed one, even if the clock was set back: the judgement of retries needs that.
if last_removal and last_removal + 0 > now then now, at = last_removal + 0, last_removal end
-- @include steps/rule.lua
local stamped, entered = iso(now), now
-- @include steps/fields.lua
-- @include steps/limits.lua
-- @include steps/change.lua
-- The hash begins with the fields in the order that steps/entity.lua expects.
local ops, slot, remembered = op and '1 0' or '0 0', 'op:0', op and op .. ' 1 ' .. at or ''
written = { 'op:1', '', 'op:2', '', 'op:3', '', 'op:4', '', 'created', stamped, 'lease:at', '', unpack(written) }
local since, score = at, ordinal .. at -- ordinal * 10^13 + ms, which has 13 digits until 2286
local timer = due ~= '' and now + due -- time at which it fires, in ms
local called_off = not timer and timers > 0
local is_full = logged + trim >= 0
-- @include steps/rights.lua

-- 4 write
-- @include steps/commit.lua
return { 'OK', document }
