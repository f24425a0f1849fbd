-- The writes of a call that fires nothing and ends after them: corrects the timer in due, and an entity that is dated
-- ahead. Takes `due_at`, the right time in ms or nil for no timer, `planned`, the score in due or false, and `renewal`,
-- the time from which a lease counts that its holder does not know about, or nil; `is_ahead`, `score` and the times.
local may = redis.acl_check_cmd
local is_right = not planned and not due_at or planned and due_at and planned + 0 == due_at
local lacks = (renewal or is_ahead) and not may('HSET', entity_key) and 'hset'
  or (is_ahead and not may('ZADD', index_key) or not is_right and due_at and not may('ZADD', due_key)) and 'zadd'
  or not is_right and not due_at and not may('ZREM', due_key) and 'zrem'
if lacks then return redis.error_reply('NOPERM ' .. lacks) end
if not dry_run then
  if renewal or is_ahead then
    call('HSET', entity_key, 'times:ms', string.format('%.0f %.0f %.0f', changed, entered, renewal or renewed))
  end
  if is_ahead then call('ZADD', index_key, score, id) end
  if not is_right and due_at then call('ZADD', due_key, string.format('%.0f', due_at), id) end
  if not is_right and not due_at then call('ZREM', due_key, id) end
end
