-- Rejects the call if the user lacks a permission for a write of commit after the first one, because a script cannot
-- roll back. Takes the locals of commit, and `channel`. The last line of a dry run.
local may = redis.acl_check_cmd
local lacks = not may('XADD', events_key) and 'xadd' or not may('HSET', entity_key) and 'hset'
  or not may('RPUSH', log_key) and 'rpush'
  or not may('LPOP', log_key) and 'lpop' or not may('PUBLISH', channel) and 'publish'
  or score and not may('ZADD', index_key) and 'zadd' or timer and not may('ZADD', due_key) and 'zadd'
  or called_off and not may('ZREM', due_key) and 'zrem' or unset and not may('HDEL', entity_key) and 'hdel'
if lacks then return redis.error_reply('NOPERM ' .. lacks) end
