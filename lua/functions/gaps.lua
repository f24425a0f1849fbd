-- Gaps: events that were trimmed from the log before they were handled.

-- Notes a gap: as a dead letter, and for a consumer, whose replies to take contain it until the one of this number or a
-- later one has arrived.
local function add_gap(dead_letters_key, settings_key, consumer, number, from, to, count)
  call('XADD', dead_letters_key, '*', 'lost', from, 'to', to, 'count', count, 'last', text_of(server_ms()))
  local field = 'lost:' .. consumer
  local first, missed = string.match(call('HGET', settings_key, field) or '', '^%d+ (%S+) %S+ (%d+)$')
  call('HSET', settings_key, field, table.concat({ number, first or from, to, (missed or 0) + count }, ' '))
end

-- The number of events that were trimmed before they were delivered: 0 if it is unknown, nil without such events.
-- Then the position after the gap, the last one in it, and the number of events ever trimmed.
local function find_gap(events_key, facts)
  local delivered, read = facts['last-delivered-id'], facts['entries-read']
  if fields_of(events_key, delivered) then return end
  local log = named(call('XINFO', 'STREAM', events_key))
  local trimmed = log['entries-added'] - log.length
  local oldest = call('XRANGE', events_key, '-', '+', 'COUNT', 1)[1]
  local last = oldest and oldest[1] or log['last-generated-id']
  if trimmed == 0 or last == delivered or read == trimmed then return end
  local position = last
  if oldest then
    local ms, sequence = string.match(last, '^(%d+)-(%d+)$')
    position = sequence == '0' and text_of(ms - 1) .. '-18446744073709551615' or ms .. '-' .. text_of(sequence - 1)
  end
  return read and math.max(trimmed - read, 0) or 0, last, position, trimmed
end
