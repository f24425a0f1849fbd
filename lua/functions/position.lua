-- A position is an ID of the event log: "ms-sequence". 0-0 is before all.

-- Returns true if position `a` is after position `b`; nil if one of them is malformed.
local function is_after(a, b)
  local a_ms, a_sequence = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_sequence = string.match(b, '^(%d+)-(%d+)$')
  if not a_ms or not b_ms then return nil end
  a_ms, b_ms = a_ms + 0, b_ms + 0
  return a_ms > b_ms or a_ms == b_ms and a_sequence + 0 > b_sequence + 0
end

-- Returns the position of the newest change in the event log, whether it was trimmed or not.
local function log_end(events_key)
  if redis.call('EXISTS', events_key) == 0 then return '0-0' end
  local facts = redis.call('XINFO', 'STREAM', events_key)
  for i = 1, #facts, 2 do
    if facts[i] == 'last-generated-id' then return facts[i + 1] end
  end
end

-- Returns the position of a removal from the score of its tombstone in the index: -(ms * 1024 + sequence). A score that
-- is not negative is the place of an entity.
local function removal_position(score)
  if not score or score + 0 >= 0 then return nil end
  local sequence = -score % 1024
  return string.format('%.0f-%.0f', (-score - sequence) / 1024, sequence)
end
