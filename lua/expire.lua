#!lua flags=allow-oom
-- expire: fires the expired timer of an entity: the timeout or the lease of its state, or the retention of a final
-- state. A timer fires once, however many callers ask. If nothing fires, the time in due is corrected to the one that
-- follows from the entity and the current machine, and the times of an entity that is dated ahead become now. A later
-- end of a lease that an older version of the machine set stays. Works on a full server.
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
--   DRYRUN             replies as if, and writes nothing
-- Reply [outcome, document, position]
--   OK         the change, and its position; its actor is latchkey, its reason names the timer and its start
--   NOTFOUND   null: no such entity; its timer in due is removed
--   NOTDUE     snapshot: no timer has expired
--   MISSING    snapshot: a stamp that the next state requires is absent; the timer stays in due
-- Errors
--   BADARG <which>  NOMACHINE  LAYOUT  NOPERM <command>
-- Events
--   for a timeout or a lease the event of the next state, for a retention <machine>.removed

-- @include functions/iso.lua
-- @include functions/document.lua
-- @include functions/position.lua
-- @include functions/effect.lua
-- @include functions/timers.lua
-- @include steps/server.lua

-- 1 inputs
local entity_key, log_key, machine_key = KEYS[1], KEYS[2], KEYS[3]
local index_key, due_key, events_key = KEYS[4], KEYS[5], KEYS[6]
local id = ARGV[1]
-- @include steps/identity.lua
local dry_run = false
for at = 2, #ARGV do
  if ARGV[at] ~= 'DRYRUN' then return redis.error_reply('BADARG option') end
  if dry_run then return redis.error_reply('BADARG DRYRUN') end
  dry_run = true
end

-- 2 read
-- @include steps/entity.lua
local planned = call('ZSCORE', due_key, id)
-- @include steps/clock.lua
local timing = state and call('HGET', machine_key, '@' .. state)
local score = state and string.match(call('HGET', machine_key, '=' .. state) or '', '^3 (%d%d?%d?) ')

-- 3 reject
if is_damaged then return redis.error_reply(LAYOUT) end
if not timing and call('EXISTS', machine_key) == 0 then return redis.error_reply(NOMACHINE) end
if not state then
  local due_at, renewal = nil, nil
-- @include steps/settle.lua
  return { 'NOTFOUND', false, false }
end
if not score then return redis.error_reply(LAYOUT) end
if is_ahead then
  call('ZCARD', index_key)
-- @include steps/redate.lua
end
score = score .. entered -- as in transition.lua
local ends = read_timers(timing, entered, renewed)
if not ends then return redis.error_reply(LAYOUT) end
local plan, renewal, lease_end = planned and planned + 0, nil, ends.lease_end
if lease_end and plan ~= lease_end and not is_ahead and (lease_end <= time or not plan or plan > lease_end) then
  -- Due has another end. An older version of the machine may have set it, and the holder relies on it, because it does
  -- not know about a shorter or a new lease: this end stays. After it, or if due has none, the lease counts from now.
  local is_older = call('HGET', machine_key, 'version') ~= '1' -- version 1 has no older version
  if is_older and plan and plan > time and plan > lease_end and plan < 1e13 then
    lease_end = plan
  elseif is_older and not plan or lease_end <= time and (is_older or not plan or plan > time) then
    renewal, lease_end = now, now + ends.lease
  end
end
local what, due_at, to = 'timeout', ends.timeout_end, ends.timeout_to
if lease_end and not (due_at and due_at <= lease_end) then
  what, due_at, to = 'lease', lease_end, ends.lease_to
elseif ends.removal_at then
  what, due_at, to = 'retention', ends.removal_at, state
end
if not due_at or due_at > time then
-- @include steps/settle.lua
  return { 'NOTDUE', snapshot(machine_key, id, entity), false }
end
local is_removal = what == 'retention'
local row = call('HGET', machine_key, is_removal and '-' or state .. '>' .. to)
local packed = call('HGET', machine_key, '@' .. state .. ' ' .. what) -- the fields that the timer sets, or false
local is_read, set = true, nil
if packed then is_read, set = pcall(cjson.decode, packed) end
if not row or not is_read then return redis.error_reply(LAYOUT) end
local amount, unit = ends[what], 'ms'
for _, step in ipairs({ { 1000, 's' }, { 60, 'm' }, { 60, 'h' }, { 24, 'd' } }) do
  if amount % step[1] ~= 0 then break end
  amount, unit = amount / step[1], step[2]
end
local actor = ',"actor":"latchkey"'
local reason = ',"reason":"' .. what .. ' of ' .. amount .. unit .. ' expired at ' .. iso(due_at) .. ', '
  .. (what ~= 'lease' and state .. ' since ' or renewed > 0 and 'last renewed at ' or 'never renewed since ')
  .. iso(what == 'lease' and ends.renewed or entered) .. '"'
local op, op_at, unset, force = nil, nil, nil, nil -- options of other scripts, which expire does not have
-- @include steps/rule.lua
local is_there = { [stamp] = true }
for i = 1, set and #set or 0, 2 do is_there[set[i]] = true end
for i = first, last, 2 do is_there[entity[i]] = true end
for name in string.gmatch(required, '[^,]+') do
  if not is_there[name] then
    renewal = nil -- due keeps the expired time, even if an older version of the machine set another one or none
-- @include steps/settle.lua
    return { 'MISSING', snapshot(machine_key, id, entity), false }
  end
end
local stamped, since, next_version = iso(now), is_removal and entered or now, version + 1
local has_limits, may_set_stamps, may_unset_stamps = false, false, false
if is_removal then first, last = 1, 0 end -- its document carries no own fields
-- @include steps/fields.lua
-- @include steps/change.lua
-- @include steps/probes.lua
local times = at .. ' ' .. at .. ' 0'
score = ordinal .. at -- as in transition.lua
local timer = due ~= '' and now + due
local called_off = not timer and planned
if is_removal then
-- @include steps/erase-rights.lua
else
-- @include steps/rights.lua
end
if dry_run then return { 'OK', document, false } end

-- Four files of steps/ do this: change makes the document; commit writes it if a timeout or a lease fires; erase writes
-- it and deletes the entity if a retention fires; settle, included above, corrects the timer if nothing fires.

-- 4 write
local position = '*' -- the server's choice
if is_removal then
-- @include steps/erase.lua
else
-- @include steps/commit.lua
end
return { 'OK', document, position }
