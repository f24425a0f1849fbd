#!lua
-- create: brings an entity into being, in its machine's initial state.
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
--   OP id              this intended change, the same on every retry of it
--   ACTOR text         who
--   REASON text        why
--   NOTAFTER ms        server time after which nothing is done
--   SENT ms            on a retry: server time of the first attempt
-- Reply [outcome, document]
--   OK         the change
--   REPLAYED   snapshot with opVersion: this op was done before
--   EXISTS     snapshot: the id is taken
--   MISSING    null: a field that the initial state requires is absent
--   FORGOTTEN  snapshot or null: a retry that can't be judged any more
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

-- 2 read: each key by a command of its type, so that a wrong one shows before any write
-- @include steps/entity.lua
local logged = call('LLEN', log_key)
local timers = call('ZCARD', due_key)
call('ZCARD', index_key)
call('XLEN', events_key)
-- @include steps/clock.lua
local to, row = string.match(call('HGET', machine_key, '>') or '', '^(%S*) (.*)$')
local last_removal = call('HGET', machine_key, 'removed') -- ms of the latest removal

-- 3 refuse
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
-- A life of an id begins after those before it, also where the clock was set back: retries are judged by that.
if last_removal and last_removal + 0 > now then now, at = last_removal + 0, last_removal end
-- @include steps/rule.lua
local stamped, entered = iso(now), now
-- @include steps/fields.lua
-- @include steps/limits.lua
-- @include steps/change.lua
-- The hash begins in the order that steps/entity.lua counts on.
local ops, slot, remembered = op and '1 0' or '0 0', 'op:0', op and op .. ' 1 ' .. at or ''
written = { 'op:1', '', 'op:2', '', 'op:3', '', 'op:4', '', 'created', stamped, 'lease:at', '', unpack(written) }
local since, score = at, ordinal .. at -- ordinal * 10^13 + ms, whose 13 digits last until 2286
local timer = due ~= '' and now + due -- ms at which it fires
local called_off = not timer and timers > 0
local is_full = logged + trim >= 0
-- @include steps/rights.lua

-- 4 write
-- @include steps/commit.lua
return { 'OK', document }
