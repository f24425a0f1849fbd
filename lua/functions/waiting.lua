-- The events that wait until an earlier event of their entity is finished. They are pending under a consumer of their
-- own, and members of a sorted set, in the order in which to handle them: `entity 0<ID>` for an event of the log, then
-- `entity 1<ID>` for a dead letter that is retried. The numbers in the ID have 20 digits each. A member that begins
-- with a blank is the name of an entity that has more trimmed events than one call could remove.

local WAITING = 'waiting'
local LONGEST_SCAN = 50 -- events that one call assigns or lets wait

local function waiting_member(entity, mark, id)
  local ms, sequence = string.match(id, '^(%d+)-(%d+)$')
  local function padded(digits) return string.rep('0', 20 - #digits) .. digits end
  return entity .. ' ' .. (mark == 'e' and '0' or '1') .. padded(ms) .. '-' .. padded(sequence)
end

local function add_waiting(waiting_key, stream_key, group, entity, mark, id)
  call('XCLAIM', stream_key, group, WAITING, 0, id, 'JUSTID')
  call('ZADD', waiting_key, 0, waiting_member(entity, mark, id))
end

-- Assigns the entity's next event to a consumer, or nothing. Returns the assignment, and a gap [from, to, count] if
-- events were trimmed while they waited.
local function assign_next(assignments_key, waiting_key, stream_keys, group, consumer, number, entity)
  local gap
  local from = '[' .. entity .. ' '
  for scanned = 1, LONGEST_SCAN do
    local member = call('ZRANGE', waiting_key, from, '(' .. entity .. '!', 'BYLEX', 'LIMIT', 0, 1)[1]
    if not member then break end
    call('ZREM', waiting_key, member)
    local order, ms, sequence = string.match(member, ' ([01])0*(%d+)-0*(%d+)$')
    local mark, id = order == '0' and 'e' or 'd', ms .. '-' .. sequence
    local stream_key = stream_keys[mark]
    if fields_of(stream_key, id) then
      local assignment = new_assignment(consumer, number, mark, id)
      call('XCLAIM', stream_key, group, consumer, 0, id, 'JUSTID')
      write_assignment(assignments_key, entity, assignment)
      return assignment, gap
    end
    call('XACK', stream_key, group, id)
    if mark == 'e' then gap = { gap and gap[1] or id, id, (gap and gap[3] or 0) + 1 } end
    if scanned == LONGEST_SCAN - 1 then
      -- Goes on after the trimmed events, which later calls of take remove.
      call('ZADD', waiting_key, 0, ' ' .. entity)
      local events_key = stream_keys.e
      local oldest = call('XRANGE', events_key, '-', '+', 'COUNT', 1)[1]
      from = '[' .. (oldest and waiting_member(entity, 'e', oldest[1]) or entity .. ' 1')
    end
  end
  call('HDEL', assignments_key, entity)
  return nil, gap
end
