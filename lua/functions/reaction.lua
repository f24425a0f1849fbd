-- What the scripts of reactions share. A reaction is a consumer group on the event log; each replica is a consumer.

local call = redis.call

-- The pairs of a flat reply as a table.
local function named(flat)
  local table = {}
  for i = 1, #flat, 2 do table[flat[i]] = flat[i + 1] end
  return table
end

-- The server's time in ms.
local function server_ms()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function text_of(ms)
  return string.format('%.0f', ms)
end

-- The facts of a consumer group on the event log; nil if it does not exist.
local function find_group(events_key, group)
  local groups = redis.pcall('XINFO', 'GROUPS', events_key)
  for _, flat in ipairs(groups.err and {} or groups) do
    local facts = named(flat)
    if facts.name == group then return facts end
  end
end

-- The consumer to which an event was delivered; nil if the event is finished.
local function owner_of(stream_key, group, id)
  local row = call('XPENDING', stream_key, group, id, id, 1)[1]
  return row and row[2]
end

-- An entry of the event log or of the dead letters; nil if it was trimmed or removed.
local function fields_of(stream_key, id)
  local entry = call('XRANGE', stream_key, id, id)[1]
  return entry and entry[2]
end

-- The entity and the type of an event. An entry that is not an event has no type, and an entity of its own, whose name
-- no entity can have: it delays no event.
local function subject_of(id, fields)
  local document = named(fields).doc or ''
  local kind, entity = string.match(document, '^{"type":"([^"]*)","machine":"[^"]*","id":"([^"]+)"')
  return entity or '#' .. id, kind
end

-- An assignment: the first unfinished event of an entity, and the consumer that handles it, the holder. The hash has
--   <entity>  `holder number event attempts excused first began alone`: the holder, its latest call for the entity, the
--             event (mark and ID), the number of attempts, how many of them do not count because their replica crashed
--             while it made others too, the times of the first attempt and of the begin of the running one (0 for
--             none), and 1 if that one runs alone in its replica
--   !<event>  the entity, by which an event is found that was trimmed
local function parse_assignment(text)
  local holder, number, mark, id, attempts, excused, first, began, alone =
    string.match(text or '', '^(%S+) (%d+) ([ed])(%S+) (%d+) (%d+) (%d+) (%d+) ([01])$')
  return holder and { holder = holder, number = number + 0, mark = mark, id = id, attempts = attempts + 0,
    excused = excused + 0, first = first, began = began, alone = alone }
end

-- The assignment of an entity; nil if it has no unfinished event.
local function read_assignment(assignments_key, entity)
  return parse_assignment(call('HGET', assignments_key, entity))
end

local function write_assignment(assignments_key, entity, assignment)
  local event = assignment.mark .. assignment.id
  local text = table.concat({ assignment.holder, assignment.number, event, assignment.attempts, assignment.excused,
    assignment.first, assignment.began, assignment.alone }, ' ')
  call('HSET', assignments_key, entity, text, '!' .. event, entity)
end

-- The entities of pending events, '' for unknown ones. Needs no entry of the log.
local function find_entities(assignments_key, mark, rows)
  if #rows == 0 then return {} end
  local fields = {}
  for i, row in ipairs(rows) do fields[i] = '!' .. mark .. row[1] end
  local entities = call('HMGET', assignments_key, unpack(fields))
  for i, entity in ipairs(entities) do entities[i] = entity or '' end
  return entities
end

-- An assignment without attempts.
local function new_assignment(holder, number, mark, id)
  return { holder = holder, number = number, mark = mark, id = id, attempts = 0, excused = 0, first = '0', began = '0',
    alone = '0' }
end

local function is_assigned(assignment, consumer, mark, id)
  return assignment and assignment.holder == consumer and assignment.mark == mark and assignment.id == id
end

-- False if the server lost that the event was delivered, in a failover.
local function is_unfinished(assignments_key, stream_keys, group, entity, assignment)
  local stream_key = stream_keys[assignment.mark]
  return call('HGET', assignments_key, '!' .. assignment.mark .. assignment.id) == entity
    and owner_of(stream_key, group, assignment.id) == assignment.holder
end

-- The first of some commands that the user may not run, in lower case; nil if it may run all.
local function forbidden(commands)
  for _, command in ipairs(commands) do
    if not redis.acl_check_cmd(unpack(command)) then return string.lower(command[1]) end
  end
end
