-- Plans one change: takes the entity to `state` at `now` (ms) by `rule`, and writes nothing.
-- `from` is the state before, nil on create; `since` is when `state` was entered (ms), nil for now.
-- Returns what commit writes, with the document that every reader gets.
local function plan_change(id, entity, given, rule, state, from, since, now)
  local own, stamped = entity.own, iso(now)
  local version, at = string.format('%d', entity.version + 1), string.format('%d', now)
  local hash = { 'state', state, 'version', version, 'at', at, 'since', since or at, -- and room for what most add
    nil, nil, nil, nil, nil, nil, nil, nil }
  local last = 8
  local function set_own(field, json)
    local place = place_of(entity, field)
    if not place then
      place = entity.size + 1
      entity.size = entity.size + 2
    end
    own[place], own[place + 1] = field, json
    hash[last + 1], hash[last + 2] = field, json
    last = last + 2
  end

  if not from then
    hash[9], hash[10], hash[11], hash[12] = 'created', stamped, 'ops', '0 0'
    last = 12
  end
  if given.OP then -- a ring of five: the op in the slot is forgotten, and when it was done is kept
    local slot = string.sub(entity.ops, 1, 1)
    local pushed_out = entity['op:' .. slot]
    hash[last + 1] = 'ops'
    hash[last + 2] = string.sub('12340', slot + 1, slot + 1) .. ' '
      .. (pushed_out == '' and string.sub(entity.ops, 3) or string.match(pushed_out, '^%d+'))
    hash[last + 3], hash[last + 4] = 'op:' .. slot, at .. ' ' .. version .. ' ' .. given.OP
    last = last + 4
  end
  if given.SET then
    for _, field in ipairs(given.fields) do set_own(field, given.SET[field]) end
  end
  if given.UNSET then
    local kept = 0
    for i = 1, entity.size, 2 do
      if not given.UNSET[own[i]] then
        own[kept + 1], own[kept + 2] = own[i], own[i + 1]
        kept = kept + 2
      end
    end
    entity.size = kept
  end
  if rule.stamp ~= '' and not place_of(entity, rule.stamp) then set_own(rule.stamp, '"' .. stamped .. '"') end

  return {
    hash = hash, -- what to write into the entity, flat, and how much of it
    last = last,
    unset = given.UNSET,
    rule = rule,
    at = at,
    score = false, -- place in the index, where the state was entered anew
    due = false, -- ms at which the next timer fires
    settled = false, -- an earlier timer is called off
    trim = false, -- the log is full
    document = rule.head .. id .. (from and '","from":"' .. from .. '"' or '","from":null') .. ',"state":"' .. state
      .. '","version":' .. version .. ',"timestamp":"' .. stamped
      .. '","since":"' .. (since and iso(since) or stamped)
      .. '","createdAt":"' .. (entity.created or stamped)
      .. (given.ACTOR and '","actor":' .. quote(given.ACTOR) or '"')
      .. (given.REASON and ',"reason":' .. quote(given.REASON) or '')
      .. (given.OP and ',"op":"' .. given.OP .. '"' or '')
      .. (given.FORCE and ',"forced":true' or '')
      .. own_text(entity) .. '}',
  }
end
