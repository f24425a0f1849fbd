#!lua
-- heartbeat: renews the lease of an entity's state. It ends its full length from now, or at the end that an older
-- version of the machine set, if that is later.
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
--   NOTAFTER ms        server time after which the call is rejected
-- Reply [outcome, document]
--   OK         snapshot: the lease is renewed; no new version, and no event
--   ILLEGAL    snapshot: its state has no lease
--   CONFLICT   snapshot: IFVERSION or IFSTATE does not hold
--   EXPIRED    snapshot or null: NOTAFTER has passed
--   NOTFOUND   null: no such entity
-- Errors
--   BADARG <which>  NOMACHINE  LAYOUT  NOPERM <command>
-- Events
--   none

-- @include functions/iso.lua
-- @include functions/document.lua
-- @include steps/server.lua

-- 1 inputs
local entity_key, log_key, machine_key = KEYS[1], KEYS[2], KEYS[3]
local index_key, due_key, events_key = KEYS[4], KEYS[5], KEYS[6]
local id = ARGV[1]
local option = 2
-- @include steps/identity.lua
local not_after, if_version, if_state, wrong
local args = ARGV
local word = args[option]
while word do -- like steps/options.lua, which accepts more words
  local value = args[option + 1]
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
  else
    wrong = 'option'
  end
  if wrong then return redis.error_reply('BADARG ' .. wrong) end
  option = option + 2
  word = args[option]
end

-- 2 read: each key that is written, by a command of its type, so that a wrong type fails before any write
-- @include steps/entity.lua
local planned = call('ZSCORE', due_key, id)
-- @include steps/clock.lua
local timing = state and call('HGET', machine_key, '@' .. state)

-- 3 reject
if unknown then return redis.error_reply('LAYOUT another one than this script knows') end
if not timing and call('EXISTS', machine_key) == 0 then return redis.error_reply('NOMACHINE apply it first') end
if not_after and now > not_after then return { 'EXPIRED', snapshot(machine_key, id, entity) } end
if not state then return { 'NOTFOUND', false } end
if if_version and if_version ~= version + 0 or if_state and if_state ~= state then
  return { 'CONFLICT', snapshot(machine_key, id, entity) }
end
-- @include steps/timers.lua
if lease == '' then return { 'ILLEGAL', snapshot(machine_key, id, entity) } end
local renewed_end, plan = now + lease, planned and planned + 0
-- A later end in due stays, because its holder relies on it: see expire.lua.
if plan and plan > renewed_end and plan < 1e13 and call('HGET', machine_key, 'version') ~= '1' then
  renewed_end = plan
end
local may = redis.acl_check_cmd
local lacks = not may('HSET', entity_key) and 'hset' or not may('ZADD', due_key) and 'zadd'
if lacks then return redis.error_reply('NOPERM ' .. lacks) end

-- 4 write
call('HSET', entity_key, 'lease:at', at)
call('ZADD', due_key, timeout_end and timeout_end < renewed_end and timeout_end or renewed_end, id)
return { 'OK', snapshot(machine_key, id, entity) }
