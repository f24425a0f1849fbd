-- A whole number of at most 15 digits, else nil: tonumber alone takes nan, 0x10 and 1e3.
local function whole(text)
  return text and #text <= 15 and string.find(text, '^%d+$') and tonumber(text) or nil
end

-- The six keys of one entity belong together: same namespace, partition, machine and id, in their order.
local function are_keys(keys, id)
  local prefix = string.sub(keys[3] or '', 1, -8)
  return keys[1] == prefix .. 'id:' .. id and keys[2] == prefix .. 'log:' .. id and keys[3] == prefix .. 'machine'
    and keys[4] == prefix .. 'index' and keys[5] == prefix .. 'due' and keys[6] == prefix .. 'events' and not keys[7]
end

-- Reads the option words of args from position `first` on, in any order. Returns a table by word (SET: field to
-- JSON, with the order of the fields in `fields`; UNSET: field to true), or nil and the word that is wrong.
local function read_options(args, first)
  local given, at, last = {}, first, #args
  while at <= last do
    local word, value, width = args[at], args[at + 1], 2
    if word == 'SET' then
      local json, set = args[at + 2], given.SET or {}
      if not is_field(value) then return nil, 'field' end
      if set[value] or not json or not is_json(json, 65536) then return nil, 'SET' end
      set[value] = json
      given.SET, given.fields = set, given.fields or {}
      table.insert(given.fields, value)
      width = 3
    elseif word == 'UNSET' then
      if not is_field(value) then return nil, 'field' end
      given.UNSET = given.UNSET or {}
      given.UNSET[value] = true
    else
      local valid
      if word == 'OP' then valid = is_id(value, 64)
      elseif word == 'ACTOR' then valid = value and is_text(value, 128)
      elseif word == 'REASON' then valid = value and is_text(value, 1024)
      elseif word == 'IFSTATE' then valid = is_state(value)
      elseif word == 'FORCE' then value, valid, width = true, true, 1
      elseif word == 'IFVERSION' or word == 'NOTAFTER' or word == 'SENT' then
        value = whole(value)
        valid = value
      else
        return nil, 'option'
      end
      if not valid or given[word] then return nil, word end
      given[word] = value
    end
    at = at + width
  end
  if given.SET and given.UNSET then
    for field in pairs(given.SET) do
      if given.UNSET[field] then return nil, 'UNSET' end
    end
  end
  return given
end
