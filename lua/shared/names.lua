-- The names a caller may give. Each check is true or false; a caller's bytes never enter an error.
local function is_id(id, limit)
  return id and #id <= limit and string.find(id, '^[%w_.~:/@+=-]+$') ~= nil
end

local function is_state(state)
  return state and #state <= 32 and string.find(state, '^%l[%w_-]*$') ~= nil
end

-- Own fields carry no word that the document or the hash uses itself.
local function is_field(field)
  local reserved = ' type machine id from state version timestamp since createdAt created at actor reason op ops opVersion forced '
  return field and #field <= 64 and string.find(field, '^[%a_][%w_]*$')
    and not string.find(reserved, ' ' .. field .. ' ', 1, true)
end
