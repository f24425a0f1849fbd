-- Functions that read a machine's definition. Each returns nil if its part is invalid.

-- Decodes JSON. Every list gets a leading `false`, by which it differs from an object: cjson makes tables of both.
local function decode_marked(json)
  local marked = string.gsub(json, '\\.', '\\_') -- no escaped quote is left, and no place has changed
  local parts, from, in_string = {}, 1, false
  for at in string.gmatch(marked, '()["%[]') do
    if string.byte(marked, at) == 34 then
      in_string = not in_string
    elseif not in_string then
      parts[#parts + 1] = string.sub(json, from, at)
      parts[#parts + 1] = string.find(json, '^%s*%]', at + 1) and 'false' or 'false,'
      from = at + 1
    end
  end
  parts[#parts + 1] = string.sub(json, from)
  return cjson.decode(table.concat(parts))
end

local function is_state(state)
  return state and #state <= 32 and string.find(state, '^%l[%w_-]*$') ~= nil
end

-- Reads a list of distinct names that `is_name` accepts; {} if there is none.
local function read_names(list, is_name)
  if list == nil then return {} end
  if type(list) ~= 'table' or list[1] ~= false or #list > 65 then return nil end
  local seen = {}
  table.remove(list, 1)
  for _, name in ipairs(list) do
    if type(name) ~= 'string' or not is_name(name) or seen[name] then return nil end
    seen[name] = true
  end
  return list
end

-- Reads a whole number from `least` to `most`; `default` if there is none.
local function read_whole(value, least, most, default)
  if value == nil then return default end
  return type(value) == 'number' and value % 1 == 0 and value >= least and value <= most and value or nil
end

-- Returns true if all properties of the table are in `known`, a list of words with a blank before and after each.
local function has_only(object, known)
  if type(object) ~= 'table' then return false end
  for property in pairs(object) do
    if type(property) ~= 'string' or string.find(property, ' ', 1, true)
      or not string.find(known, ' ' .. property .. ' ', 1, true) then
      return false
    end
  end
  return true
end

-- Reads the length in ms of a state's timer from its property `length`; false if there is none. No caller can supply a
-- required field when the timer fires, so its `set` must hold all fields that its target requires, except stamps.
local function read_timer(timer, length, state, states, is_stamp)
  if timer == nil then return false end
  if not has_only(timer, ' ' .. length .. ' to set ') then return nil end
  if timer.set ~= nil and type(timer.set) ~= 'table' then return nil end
  local set, count = timer.set or {}, 0
  for field, json in pairs(set) do
    count = count + 1
    if type(field) ~= 'string' or not is_field(field) or is_stamp[field] or count > 64 then return nil end
    set[field] = type(json) == 'string' and json_text(json, 65536, true) or nil
    if not set[field] then return nil end
  end
  for _, to in ipairs(state.to) do
    if to == timer.to then
      for _, field in ipairs(states[to].require) do
        if not set[field] and not is_stamp[field] then return nil end
      end
      return read_whole(timer[length], 1, 1e12)
    end
  end
end

-- Checks a definition and fills in its defaults. Returns nil and the word for BADARG if it is invalid.
local function read_definition(machine)
  if not has_only(machine, ' name version initial states history events ') then return nil, 'definition' end
  local name = machine.name
  if type(name) ~= 'string' or #name > 32 or not string.find(name, '^%l[%l%d-]*$') then return nil, 'name' end
  if not machine.version or not read_whole(machine.version, 1, 1e9) then return nil, 'version' end
  machine.history = read_whole(machine.history, 1, 1000, 16)
  if not machine.history then return nil, 'history' end
  if machine.events ~= nil and not has_only(machine.events, ' keep ') then return nil, 'events' end
  machine.keep = read_whole((machine.events or {}).keep, 1, 1e7, 100000)
  if not machine.keep then return nil, 'events' end
  local states, count, is_stamp = machine.states, 0, {}
  if type(states) ~= 'table' then return nil, 'states' end
  for state, spec in pairs(states) do
    count = count + 1
    if type(state) ~= 'string' or not is_state(state) or count > 64 then return nil, 'states' end
    if not has_only(spec, ' to event stamp require timeout lease retain ') then return nil, 'states' end
    spec.to = read_names(spec.to, function(to) return states[to] end)
    if not spec.to then return nil, 'to' end
    spec.require = read_names(spec.require, is_field)
    if not spec.require then return nil, 'require' end
    spec.event = spec.event == nil and name .. '.' .. state or spec.event
    if type(spec.event) ~= 'string' or #spec.event > 96 or not string.find(spec.event, '^%l[%w._-]*$')
      or spec.event == name .. '.updated' or spec.event == name .. '.removed' or spec.event == name .. '.restored' then
      return nil, 'event'
    end
    if spec.stamp ~= nil and (type(spec.stamp) ~= 'string' or not is_field(spec.stamp)) then return nil, 'stamp' end
    if spec.stamp then is_stamp[spec.stamp] = true end
  end
  for _, spec in pairs(states) do
    local timeout = read_timer(spec.timeout, 'after', spec, states, is_stamp)
    local lease = read_timer(spec.lease, 'for', spec, states, is_stamp)
    if timeout == nil then return nil, 'timeout' end
    if lease == nil then return nil, 'lease' end
    local retain = spec.retain ~= nil and read_whole(spec.retain, 1, 1e12)
    if spec.retain ~= nil and (not retain or spec.to[1]) then return nil, 'retain' end
    spec.due = timeout and lease and math.min(timeout, lease) or timeout or lease or retain or ''
  end
  if type(machine.initial) ~= 'string' or not states[machine.initial] then return nil, 'initial' end
  return machine
end

-- Returns all states in breadth-first order from the initial one, then the unreachable ones by name.
local function walk(machine)
  local order, seen, rest = { machine.initial }, { [machine.initial] = true }, {}
  local at = 1
  while order[at] do
    for _, to in ipairs(machine.states[order[at]].to) do
      if not seen[to] then
        seen[to] = true
        order[#order + 1] = to
      end
    end
    at = at + 1
  end
  for state in pairs(machine.states) do
    if not seen[state] then rest[#rest + 1] = state end
  end
  table.sort(rest)
  for _, state in ipairs(rest) do order[#order + 1] = state end
  return order
end
