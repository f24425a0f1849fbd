#!lua
-- restore: creates an entity in any state, with the version and the times that it had elsewhere or before: for import,
-- migration and repair. Its position is greater than SEEN, so that a late copy of a call that the entity already
-- contains is recognised. A lease counts from now. The user needs the permission for the command RESTORE.
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
--   2 to               its state
--   3 next_version     its version
--   4 created_ms       time of its creation in ms; not after `since`
--   5 since            time of entering its state in ms; not in the future
--   SET field json     repeatable: an own field or a stamp, and its JSON text
--   OP id              required: the idempotency key, the same on every attempt
--   SEEN position      required: the later of the end of the log that it comes from and the end of this log
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
--   MISSING    null: a field that the state requires is absent
-- Errors
--   BADARG <which>  NOMACHINE  LAYOUT  NOPERM <command>
-- Events
--   <machine>.restored

-- @include functions/json.lua
-- @include functions/names.lua
-- @include functions/iso.lua
-- @include functions/document.lua
-- @include functions/position.lua
-- @include functions/effect.lua
-- @include functions/timers.lua
-- @include steps/server.lua

-- Returns a new position: the one that XADD would choose at `time` (ms) if the log ended at the later of two positions.
local function position_after(time, a, b)
  local ms, sequence = string.match(is_after(a, b) and a or b, '^(%d+)-(%d+)$')
  if ms + 0 < time then return string.format('%.0f-0', time) end
  return ms .. string.format('-%.0f', sequence + 1)
end

-- 1 inputs
local entity_key, log_key, machine_key = KEYS[1], KEYS[2], KEYS[3]
local index_key, due_key, events_key = KEYS[4], KEYS[5], KEYS[6]
local id, to = ARGV[1], ARGV[2]
local next_version, created_ms, since = ARGV[3], ARGV[4], ARGV[5]
local option = 6
-- @include steps/identity.lua
if not to or #to > 32 or not find(to, '^%l[%w_-]*$') then return redis.error_reply('BADARG to') end
if not next_version or #next_version > 12 or not find(next_version, '^[1-9]%d*$') then
  return redis.error_reply('BADARG version')
end
if not created_ms or not find(created_ms, '^%d+$') or #created_ms > 13 then
  return redis.error_reply('BADARG created')
end
if not since or not find(since, '^%d+$') or #since ~= 13 or since + 0 < created_ms + 0 then
  return redis.error_reply('BADARG since')
end
-- @include steps/options.lua
if unset or if_version or if_state or force then return redis.error_reply('BADARG option') end
if not op then return redis.error_reply('BADARG OP') end
if seen_ms > 8.7e12 or #seen > 28 then return redis.error_reply('BADARG SEEN') end -- the log goes on after it
seen_ms = 0 -- SEEN is never ahead of the log here, because the position is chosen to be after it

-- 2 read
-- @include steps/entity.lua
local op_at = op and state and call('LPOS', log_key, op)
-- @include steps/clock.lua
local row = call('HGET', machine_key, '>' .. to)

-- 3 reject
if is_damaged then return redis.error_reply(LAYOUT) end
if not row and call('EXISTS', machine_key) == 0 then return redis.error_reply(NOMACHINE) end
-- @include steps/repetition.lua
if state then return { 'EXISTS', snapshot(machine_key, id, entity), false } end
if not row then return redis.error_reply('BADARG to') end
if since + 0 > time + 60000 then return redis.error_reply('BADARG since') end
if since + 0 > time then since = at end -- the source's clock may be a little ahead
-- @include steps/rule.lua
event = string.match(prefix, ':([^:]*):$') .. '.restored'
since, created = since + 0, iso(math.min(created_ms + 0, since + 0))
local stamped = iso(since) -- a stamp that is not given is the time of entry
local has_limits, may_set_stamps, may_unset_stamps = true, true, false
-- @include steps/fields.lua
stamped = iso(now)
-- @include steps/change.lua
-- @include steps/probes.lua
-- The holder of a lease cannot know how much of it is left, so it counts from now.
local ends = read_timers(call('HGET', machine_key, '@' .. to), since, now)
if not ends then return redis.error_reply(LAYOUT) end
local times, score = at .. ' ' .. since .. ' ' .. (ends.lease and at or 0), ordinal .. since
local timer = first_end(ends)
local called_off = not timer and timers > 0
-- @include steps/rights.lua
if not may('RESTORE', entity_key) then return redis.error_reply('NOPERM restore') end
if dry_run then return { 'OK', document, false } end
local position = position_after(time, seen, log_end(events_key))
-- A late copy of a call that the entity already contains was made with an older SEEN.
written = { 'created', created, 'ops:forgot', position, unpack(written) } -- in the order that steps/entity.lua expects

-- 4 write
-- @include steps/commit.lua
return { 'OK', document, position }
