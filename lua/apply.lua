#!lua
-- apply: installs a machine, or a newer version of it.
--
-- KEYS
--   1 machine  {ns:p}:<machine>:machine   hash    the compiled machine
--   2 index    {ns:p}:<machine>:index     zset    ids by state and age; tombstones of removed ids
--   3 machines {ns:p}:machines            hash    the version of each machine of the namespace
-- ARGV
--   1 definition       JSON of the machine; all lengths of time in ms
--   MAP old new        repeatable: entities in the dropped state `old` may still move, to `new` only
--   FENCE              if the machine is not installed in this partition: keys with an older SEEN are FORGOTTEN
--   DRYRUN             replies, and writes nothing
-- Reply [outcome, document, position]
--   OK         {"machine","version","changed","retired":{state: entities still in it}}
--   INUSE      {"machine","version","problem","states":{state: entities in it}} with the installed version; problem is
--              LOWER (a newer version is installed), DIFFERENT (this version has another definition) or
--              STATES (entities are in states that would be dropped)
-- Errors
--   BADARG <which>  LAYOUT  NOPERM <command>
-- Events
--   none

-- @include functions/json.lua
-- @include functions/names.lua
-- @include functions/definition.lua

local call = redis.call
local LAYOUT = 'LAYOUT entity or machine was written by another version of latchkey, or is damaged'

-- 1 inputs
local machine_key, index_key, machines_key = KEYS[1], KEYS[2], KEYS[3]
local definition = ARGV[1]
definition = definition and json_text(definition, 65536, true)
if not definition then return redis.error_reply('BADARG definition') end
local machine, wrong = read_definition(decode_marked(definition))
if not machine then return redis.error_reply('BADARG ' .. wrong) end
local name, states = machine.name, machine.states
local prefix, namespace, partition = string.match(machine_key or '', '^({(%l[%l%d-]*):(%d+)}:)')
if not prefix or #namespace > 32 or #partition > 5 or string.find(partition, '^0.') or #KEYS ~= 3
  or machine_key ~= prefix .. name .. ':machine' or index_key ~= prefix .. name .. ':index'
  or machines_key ~= prefix .. 'machines' then
  return redis.error_reply('BADARG keys')
end
local map, dry_run, fence, at = {}, false, false, 2
while ARGV[at] do
  local old, new = ARGV[at + 1], ARGV[at + 2]
  if ARGV[at] == 'DRYRUN' then
    if dry_run then return redis.error_reply('BADARG DRYRUN') end
    dry_run, at = true, at + 1
  elseif ARGV[at] == 'FENCE' then
    if fence then return redis.error_reply('BADARG FENCE') end
    fence, at = true, at + 1
  elseif ARGV[at] == 'MAP' then
    if not is_state(old) or not is_state(new) or states[old] or not states[new] or map[old] then
      return redis.error_reply('BADARG MAP')
    end
    map[old], at = new, at + 3
  else
    return redis.error_reply('BADARG option')
  end
end

-- 2 read
local flat = call('HGETALL', machine_key)
local installed = {}
for i = 1, #flat, 2 do installed[flat[i]] = flat[i + 1] end
call('ZCARD', index_key)
local listed = call('HGET', machines_key, name)
local version = (string.match(installed.version or '0', '^%d+$') or -1) + 0
local is_known = not flat[1] or installed.layout == '2' and version >= 1 and version <= 1e9
  and string.find(installed.states or '', '^%l')
local order, ordinals = {}, {} -- append-only: a state keeps its ordinal in the index forever
for state in string.gmatch(installed.states or '', '%S+') do
  is_known = is_known and is_state(state) and not ordinals[state]
  order[#order + 1] = state
  ordinals[state] = #order - 1
end
if not is_known then return redis.error_reply(LAYOUT) end
for _, state in ipairs(walk(machine)) do
  if not ordinals[state] then
    order[#order + 1] = state
    ordinals[state] = #order - 1
  end
end
if #order > 800 then return redis.error_reply('BADARG states') end -- keeps every score below 2^53

local dropped = {} -- state to the number of entities still in it
for _, state in ipairs(order) do
  if not states[state] then
    local from = ordinals[state] * 1e13
    local left = call('ZCOUNT', index_key, from, '(' .. string.format('%.0f', from + 1e13))
    if left > 0 then dropped[state] = left end
  end
end
local function counts()
  local parts = {}
  for _, state in ipairs(order) do
    if dropped[state] then parts[#parts + 1] = '"' .. state .. '":' .. dropped[state] end
  end
  return '{' .. table.concat(parts, ',') .. '}'
end

-- One row holds everything that a script needs of the machine; steps/rule.lua unpacks it.
local stamps = {}
for _, state in ipairs(order) do
  local stamp = states[state] and states[state].stamp
  if stamp and not stamps[stamp] then
    stamps[stamp] = true
    stamps[#stamps + 1] = stamp
  end
end
local log_size = 2 * math.max(machine.history, 32) -- two elements for each change
local function row(ordinal, due, stamp, required, event)
  local words = {
    '3 ' .. ordinal .. ' ' .. machine.keep .. ' ' .. log_size .. ' ' .. due, namespace .. ':' .. name .. ':events',
    stamp or '', table.concat(required, ','), table.concat(stamps, ','), event,
    '","machine":"' .. name .. '","id":"', '' }
  return table.concat(words, '\0')
end
local rows = { ['-'] = row(0, '', nil, {}, name .. '.removed') } -- for a removal
for state, spec in pairs(states) do
  rows['>' .. state] = row(ordinals[state], spec.due, spec.stamp, spec.require, spec.event) -- for FORCE
  rows['=' .. state] = row(ordinals[state], '', nil, spec.require, name .. '.updated') -- for a patch
end
rows['>'] = machine.initial .. ' ' .. rows['>' .. machine.initial] -- for a creation
for state, spec in pairs(states) do
  for _, to in ipairs(spec.to) do rows[state .. '>' .. to] = rows['>' .. to] end
end
-- The timers of a state are in one row, which steps/timers.lua unpacks. The fields that a timer sets are in another,
-- sorted, so that all partitions have equal rows.
for state, spec in pairs(states) do
  local timeout, lease = spec.timeout or {}, spec.lease or {}
  if spec.due ~= '' then
    rows['@' .. state] = table.concat({
      3, timeout.after or '', lease['for'] or '', spec.retain or '', timeout.to or '', lease.to or '' }, ' ')
  end
  for kind, timer in pairs({ timeout = timeout, lease = lease }) do
    local fields, set = {}, {}
    for field in pairs(timer.set or {}) do fields[#fields + 1] = field end
    table.sort(fields)
    for _, field in ipairs(fields) do
      set[#set + 1] = field
      set[#set + 1] = timer.set[field]
    end
    if set[1] then rows['@' .. state .. ' ' .. kind] = cjson.encode(set) end
  end
end
for state in pairs(dropped) do -- rows for the entities that are still in it
  rows['=' .. state] = row(ordinals[state], '', nil, {}, name .. '.updated')
  if map[state] then rows[state .. '>' .. map[state]] = rows['>' .. map[state]] end
end

-- 3 reject
local function reply(outcome, number, middle, label)
  local text = '{"machine":"' .. name .. '","version":' .. number .. middle .. ',"' .. label .. '":' .. counts() .. '}'
  return { outcome, text, false }
end
local is_installed = version == machine.version and installed.definition == definition
if machine.version < version then return reply('INUSE', version, ',"problem":"LOWER"', 'states') end
if machine.version == version and not is_installed then
  return reply('INUSE', version, ',"problem":"DIFFERENT"', 'states')
end
for state in pairs(dropped) do
  if not is_installed and not map[state] then return reply('INUSE', version, ',"problem":"STATES"', 'states') end
end
for old in pairs(map) do
  if not ordinals[old] then return redis.error_reply('BADARG MAP') end
end
local may = redis.acl_check_cmd
if not may('HSET', machine_key) then return redis.error_reply('NOPERM hset') end
if not may('HSET', machines_key) then return redis.error_reply('NOPERM hset') end
if not may('DEL', machine_key) then return redis.error_reply('NOPERM del') end

-- 4 write
if not is_installed and not dry_run then
  call('DEL', machine_key)
  call('HSET', machine_key, 'layout', 2, 'name', name, 'version', machine.version, 'states', table.concat(order, ' '),
    'definition', definition)
  local floor = installed.floor
  if fence and not flat[1] then -- an earlier machine of this name may be lost, and callers may not know it
    local clock = call('TIME')
    floor = string.format('%.0f-0', clock[1] * 1000 + math.floor(clock[2] / 1000))
  end
  if floor then call('HSET', machine_key, 'floor', floor) end
  for field, value in pairs(rows) do call('HSET', machine_key, field, value) end
end
if not dry_run and listed ~= tostring(machine.version) then call('HSET', machines_key, name, machine.version) end
return reply('OK', machine.version, ',"changed":' .. tostring(not is_installed), 'retired')
