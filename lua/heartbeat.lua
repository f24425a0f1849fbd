#!lua flags=allow-oom
-- heartbeat: renews the lease of an entity's state. It ends its full length from now, or at the end that an older
-- version of the machine set, if that is later. It uses keys 1, 3 and 5 only, and works on a full server.
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
--   IFVERSION n        the expected version
--   IFSTATE state      the expected state
--   NOTAFTER ms        server time after which the call is rejected
--   DRYRUN             replies as if, and writes nothing
-- Reply [outcome, document, position]
--   OK         snapshot: the lease is renewed; no new version, no event and no position
--   EXPIRED    snapshot or null: NOTAFTER has passed
--   NOTFOUND   null: no such entity
--   CONFLICT   snapshot: IFVERSION or IFSTATE does not hold
--   ILLEGAL    snapshot: its state has no lease
-- Errors
--   BADARG <which>  NOMACHINE  LAYOUT  NOPERM <command>
-- Events
--   none

-- @include functions/iso.lua
-- @include functions/document.lua
-- @include functions/timers.lua
-- @include steps/server.lua

-- 1 inputs
local entity_key, log_key, machine_key = KEYS[1], KEYS[2], KEYS[3]
local index_key, due_key, events_key = KEYS[4], KEYS[5], KEYS[6]
local id = ARGV[1]
local option = 2
-- @include steps/identity.lua
local not_after, if_version, if_state, dry_run, wrong
local args = ARGV
local word = args[option]
while word do -- like steps/options.lua, which accepts more words
  local value = args[option + 1]
  option = option + 2
  if word == 'IFSTATE' then
    wrong = (if_state or not value or #value > 32 or not find(value, '^%l[%w_-]*$')) and 'IFSTATE'
    if_state = value
  elseif word == 'IFVERSION' or word == 'NOTAFTER' then
    value = value and #value <= 15 and find(value, '^%d+$') and value + 0
    if word == 'IFVERSION' then
      wrong = (if_version or not value) and 'IFVERSION'
      if_version = value
    else
      wrong = (not_after or not value) and 'NOTAFTER'
      not_after = value
    end
  elseif word == 'DRYRUN' then
    wrong = dry_run and 'DRYRUN'
    dry_run, option = true, option - 1
  else
    wrong = 'option'
  end
  if wrong then return redis.error_reply('BADARG ' .. wrong) end
  word = args[option]
end

-- 2 read
-- @include steps/entity.lua
-- @include steps/clock.lua
local timing = state and call('HGET', machine_key, '@' .. state)

-- 3 reject
if is_damaged then return redis.error_reply(LAYOUT) end
if not timing and call('EXISTS', machine_key) == 0 then return redis.error_reply(NOMACHINE) end
if not_after and time > not_after then return { 'EXPIRED', snapshot(machine_key, id, entity), false } end
if not state then return { 'NOTFOUND', false, false } end
-- @include steps/conditions.lua
if is_ahead then
-- @include steps/redate.lua
end
local ends = read_timers(timing, entered, now)
if not ends then return redis.error_reply(LAYOUT) end
if not ends.lease then return { 'ILLEGAL', snapshot(machine_key, id, entity), false } end
local planned = call('ZSCORE', due_key, id)
local plan = planned and not is_ahead and planned + 0 or 0
-- A later end in due stays, because its holder relies on it: see expire.lua.
if plan > ends.lease_end and plan < 1e13 and call('HGET', machine_key, 'version') ~= '1' then ends.lease_end = plan end
local ordinal = is_ahead and string.match(call('HGET', machine_key, '=' .. state) or '', '^3 (%d%d?%d?) ')
if is_ahead and not ordinal then return redis.error_reply(LAYOUT) end
if is_ahead then call('ZCARD', index_key) end
local may = redis.acl_check_cmd
local lacks = not may('HSET', entity_key) and 'hset' or not may('ZADD', due_key) and 'zadd'
  or is_ahead and not may('ZADD', index_key) and 'zadd'
if lacks then return redis.error_reply('NOPERM ' .. lacks) end
local document = snapshot(machine_key, id, entity)
if dry_run then return { 'OK', document, false } end

-- 4 write
call('HSET', entity_key, 'times:ms', changed .. ' ' .. entered .. ' ' .. at)
if is_ahead then call('ZADD', index_key, ordinal .. entered, id) end
call('ZADD', due_key, first_end(ends), id)
return { 'OK', document, false }
