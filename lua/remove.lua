#!lua
-- remove: deletes an entity, its log and its places in index and due.
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
--   IFVERSION n        only at this version
--   IFSTATE state      only from this state
--   OP id              this intended change, the same on every retry of it
--   ACTOR text         who
--   REASON text        why
--   NOTAFTER ms        server time after which nothing is done
--   SENT ms            on a retry: server time of the first attempt
-- Reply [outcome, document]
--   OK         the change: the entity as it was, one version on
--   REPLAYED   snapshot with opVersion: this op was done before, on an entity that still stands
--   CONFLICT   snapshot: IFVERSION or IFSTATE does not hold
--   FORGOTTEN  snapshot: a retry that can't be judged any more
--   EXPIRED    snapshot or null: NOTAFTER has passed
--   NOTFOUND   null: no such entity, perhaps because the first attempt removed it
-- Errors
--   BADARG <which>  NOMACHINE  LAYOUT  NOPERM <command>
-- Events
--   <machine>.removed

-- @include shared/text.lua
-- @include shared/json.lua
-- @include shared/names.lua
-- @include shared/options.lua
-- @include shared/clock.lua
-- @include shared/machine.lua
-- @include shared/entity.lua
-- @include shared/document.lua
-- @include shared/guards.lua
-- @include shared/change.lua

-- 1 inputs
local entity_key, log_key, machine_key = KEYS[1], KEYS[2], KEYS[3]
local index_key, due_key, events_key = KEYS[4], KEYS[5], KEYS[6]
local id = ARGV[1]
if not is_id(id, 128) then return redis.error_reply('BADARG id') end
if not are_keys(KEYS, id) then return redis.error_reply('BADARG keys') end
local given, wrong = read_options(ARGV, 2)
if not given then return redis.error_reply('BADARG ' .. wrong) end
if given.SET or given.UNSET or given.FORCE then return redis.error_reply('BADARG option') end

-- 2 read: each key by a command of its type, so that a wrong one shows before any write
local entity = read_entity(entity_key)
redis.call('LLEN', log_key)
redis.call('ZCARD', index_key)
redis.call('ZCARD', due_key)
redis.call('XLEN', events_key)
local now = clock(entity and entity.at or 0)
local row = redis.call('HGET', machine_key, '-')

-- 3 refuse
if entity == false then return redis.error_reply('LAYOUT another one than this script knows') end
if not row then return redis.error_reply('NOMACHINE apply it first') end
local refusal = guard(entity_key, machine_key, id, entity, given, now)
if refusal then return refusal end
local rule = read_rule(row)
if not rule then return redis.error_reply('LAYOUT another one than this script knows') end
local change = plan_change(id, entity, given, rule, entity.state, entity.state, entity.since, now)
local may = redis.acl_check_cmd
local lacks = not (may('DEL', entity_key) and may('DEL', log_key)) and 'del'
  or not may('HSET', machine_key) and 'hset'
  or not (may('ZREM', index_key) and may('ZREM', due_key)) and 'zrem'
  or not may('XADD', events_key) and 'xadd' or not may('PUBLISH', rule.channel) and 'publish'
if lacks then return redis.error_reply('NOPERM ' .. lacks) end

-- 4 write
redis.call('DEL', entity_key, log_key)
redis.call('HSET', machine_key, 'removed', now) -- lets a late retry of create be told from a first attempt
redis.call('ZREM', index_key, id)
redis.call('ZREM', due_key, id)
redis.call('XADD', events_key, 'MAXLEN', '~', rule.keep, '*', 'doc', change.document)
redis.call('PUBLISH', rule.channel, change.document)
return { 'OK', change.document }
