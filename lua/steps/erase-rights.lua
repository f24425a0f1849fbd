-- Rejects the call if the user lacks a permission for a command of erase after the first write, reads included, because
-- a script cannot roll back. Takes `channel`.
local may = redis.acl_check_cmd
local lacks = not may('XADD', events_key) and 'xadd' or not (may('DEL', entity_key) and may('DEL', log_key)) and 'del'
  or not may('HSET', machine_key) and 'hset' or not may('XSETID', events_key) and 'xsetid'
  or not may('ZADD', index_key) and 'zadd' or not may('ZREMRANGEBYRANK', index_key) and 'zremrangebyrank'
  or not may('ZCOUNT', index_key) and 'zcount' or not may('ZRANGE', index_key) and 'zrange'
  or not may('ZREM', due_key) and 'zrem' or not may('PUBLISH', channel) and 'publish'
if lacks then return redis.error_reply('NOPERM ' .. lacks) end
