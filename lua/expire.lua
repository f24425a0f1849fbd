#!lua
-- expire: fires the expired timer of an entity: the timeout or the lease of its state, or the retention of a final
-- state. A timer fires once, however many callers ask. If nothing fires, the time in due is corrected to the one that
-- follows from the entity and the current machine. A later end of a lease that an older version of the machine set
-- stays.
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
-- Reply [outcome, document]
--   OK         the change; its actor is latchkey, its reason names the timer and its start
--   NOTDUE     snapshot: no timer has expired
--   MISSING    snapshot: a stamp that the next state requires is absent; the timer stays in due
--   NOTFOUND   null: no such entity; its timer in due is removed
-- Errors
--   BADARG <which>  NOMACHINE  LAYOUT  NOPERM <command>
-- Events
--   for a timeout or a lease the event of the next state, for a retention <machine>.removed

-- @include functions/iso.lua
-- @include functions/document.lua
-- @include steps/server.lua

-- 1 inputs
local entity_key, log_key, machine_key = KEYS[1], KEYS[2], KEYS[3]
local index_key, due_key, events_key = KEYS[4], KEYS[5], KEYS[6]
local id = ARGV[1]
-- @include steps/identity.lua
if ARGV[2] then return redis.error_reply('BADARG option') end

-- 2 read: each key by a command of its type, so that a wrong type fails before any write
-- @include steps/entity.lua
local logged = call('LLEN', log_key)
local planned = call('ZSCORE', due_key, id)
call('ZCARD', index_key)
call('XLEN', events_key)
-- @include steps/clock.lua
local timing = state and call('HGET', machine_key, '@' .. state)
local last_removal = call('HGET', machine_key, 'removed')

-- 3 reject
if unknown then return redis.error_reply('LAYOUT another one than this script knows') end
if not timing and call('EXISTS', machine_key) == 0 then return redis.error_reply('NOMACHINE apply it first') end
if not state then
  local due_at, renewal = nil, nil
-- @include steps/settle.lua
  return { 'NOTFOUND', false }
end
-- @include steps/timers.lua
local plan, renewal = planned and planned + 0, nil
if lease_end and plan ~= lease_end and (lease_end <= now or not plan or plan > lease_end) then
  -- Due has another end. An older version of the machine may have set it, and the holder relies on it, because it does
  -- not know about a shorter or a new lease: this end stays. After it, or if due has none, the lease counts from now.
  local is_older = call('HGET', machine_key, 'version') ~= '1' -- version 1 has no older version
  if is_older and plan and plan > now and plan > lease_end and plan < 1e13 then
    lease_end = plan
  elseif is_older and not plan or lease_end <= now and (is_older or not plan or plan > now) then
    renewal, lease_end = at, now + lease
  end
end
local what, length, due_at, to = 'timeout', after, timeout_end, timeout_to
if lease_end and not (timeout_end and timeout_end <= lease_end) then
  what, length, due_at, to = 'lease', lease, lease_end, lease_to
elseif removal_at then
  what, length, due_at, to = 'retention', retain, removal_at, state
end
if not due_at or due_at > now then
-- @include steps/settle.lua
  return { 'NOTDUE', snapshot(machine_key, id, entity) }
end
local row = call('HGET', machine_key, removal_at and '-' or state .. '>' .. to)
local packed = call('HGET', machine_key, '@' .. state .. ' ' .. what) -- the fields that the timer sets, or false
local is_read, set = true, nil
if packed then is_read, set = pcall(cjson.decode, packed) end
if not row or not is_read then return redis.error_reply('LAYOUT another one than this script knows') end
local amount, unit = length + 0, 'ms'
for _, step in ipairs({ { 1000, 's' }, { 60, 'm' }, { 60, 'h' }, { 24, 'd' } }) do
  if amount % step[1] ~= 0 then break end
  amount, unit = amount / step[1], step[2]
end
local actor = ',"actor":"latchkey"'
local reason = ',"reason":"' .. what .. ' of ' .. amount .. unit .. ' ran out at ' .. iso(due_at) .. ', '
  .. (what ~= 'lease' and state .. ' since ' or renewed > begun and 'last renewed at ' or 'never renewed since ')
  .. iso(what == 'lease' and renewed or begun) .. '"'
local op, unset, force = nil, nil, nil -- options of other scripts, which expire does not have
-- @include steps/rule.lua
local is_there = { [stamp] = true }
for i = 1, set and #set or 0, 2 do is_there[set[i]] = true end
for i = first, last, 2 do is_there[entity[i]] = true end
for name in string.gmatch(required, '[^,]+') do
  if not is_there[name] then
    renewal = nil -- due keeps the expired time, even if an older version of the machine set another one or none
-- @include steps/settle.lua
    return { 'MISSING', snapshot(machine_key, id, entity) }
  end
end
local stamped, entered = iso(now), removal_at and begun or now
-- @include steps/fields.lua
-- @include steps/change.lua
-- @include steps/ops.lua
-- @include steps/removal.lua
local since, score = at, ordinal .. at -- as in transition.lua
local timer = due ~= '' and now + due
local called_off = not timer and planned
local is_full = logged + trim >= 0
if removal_at then
-- @include steps/erase-rights.lua
else
-- @include steps/rights.lua
end

-- Four files of steps/ do this: change makes the document; commit writes it if a timeout or a lease fires; erase writes
-- it and deletes the entity if a retention fires; settle, included above, corrects the timer if nothing fires.

-- 4 write
if removal_at then
-- @include steps/erase.lua
else
-- @include steps/commit.lua
end
return { 'OK', document }
