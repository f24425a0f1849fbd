-- The first right that this user lacks of those commit needs after its first write, or nil: a write refused halfway
-- has no rollback. (The first one may fail: nothing is written then.)
local function lacks_right(keys, change)
  local may = redis.acl_check_cmd
  return not may('RPUSH', keys[2]) and 'rpush'
    or change.unset and not may('HDEL', keys[1]) and 'hdel'
    or change.trim and not may('LTRIM', keys[2]) and 'ltrim'
    or change.score and not may('ZADD', keys[4]) and 'zadd'
    or change.due and not may('ZADD', keys[5]) and 'zadd'
    or change.settled and not may('ZREM', keys[5]) and 'zrem'
    or not may('XADD', keys[6]) and 'xadd' or not may('PUBLISH', change.rule.channel) and 'publish'
    or nil
end

-- Writes one planned change. Nothing in here can fail: whatever could was read or asked before.
local function commit(keys, id, change)
  local call, document = redis.call, change.document
  call('HSET', keys[1], unpack(change.hash, 1, change.last))
  if change.unset then
    for field in pairs(change.unset) do call('HDEL', keys[1], field) end
  end
  if change.score then call('ZADD', keys[4], change.score, id) end
  if change.due then call('ZADD', keys[5], change.due, id) end
  if change.settled then call('ZREM', keys[5], id) end
  call('RPUSH', keys[2], document)
  if change.trim then call('LTRIM', keys[2], -change.rule.history, -1) end
  call('XADD', keys[6], 'MAXLEN', '~', change.rule.keep, '*', 'doc', document)
  call('PUBLISH', change.rule.channel, document)
end
