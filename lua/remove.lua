#!lua flags=allow-oom
-- remove: deletes an entity, its log and its timer. Its id stays in the index as a tombstone. Works on a full server.
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
--   OP id              the idempotency key, the same on every attempt
--   SEEN position      required with it: a position of the event log, known before the first attempt
--   ACTOR text         who makes the change
--   REASON text        why it is made
--   NOTAFTER ms        server time after which the call is rejected
--   DRYRUN             replies as if, and writes nothing
-- Reply [outcome, document, position]
--   OK         the change, without own fields, and its position
--   REPLAYED   snapshot with opVersion: this key was applied before, on an entity that still exists
--   FORGOTTEN  snapshot or null, and the log's end: it cannot be decided any more whether this key was applied
--   EXPIRED    snapshot or null: NOTAFTER has passed
--   NOTFOUND   null: no such entity
--   CONFLICT   snapshot: IFVERSION or IFSTATE does not hold
-- Errors
--   BADARG <which>  NOMACHINE  LAYOUT  NOPERM <command>
-- Events
--   <machine>.removed

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
if set or unset or force then return redis.error_reply('BADARG option') end

-- 2 read
-- @include steps/entity.lua
local op_at = op and state and call('LPOS', log_key, op)
-- @include steps/clock.lua
local row = call('HGET', machine_key, '-')

-- 3 reject
if is_damaged then return redis.error_reply(LAYOUT) end
if not row then return redis.error_reply(NOMACHINE) end
-- @include steps/repetition.lua
if not state then return { 'NOTFOUND', false, false } end
-- @include steps/conditions.lua
-- @include steps/rule.lua
if is_ahead then
-- @include steps/redate.lua
end
local stamped, to, since, next_version = iso(now), state, entered, version + 1
local written = {}
first, last = 1, 0 -- no own fields in the document: a removal must not cost memory
-- @include steps/change.lua
-- @include steps/probes.lua
-- @include steps/erase-rights.lua
if dry_run then return { 'OK', document, false } end

-- 4 write
local position = '*' -- the server's choice
-- @include steps/erase.lua
return { 'OK', document, position }
