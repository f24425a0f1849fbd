#!lua
-- repair: corrects the index entry, the timer and the log of one entity, if nothing that they follow from has changed
-- since they were read. fsck runs it; it is not an operation of the protocol.
--
-- KEYS
--   1 entity  {ns:p}:<machine>:id:<id>   hash  the entity
--   2 log     {ns:p}:<machine>:log:<id>  list  its last changes
--   3 index   {ns:p}:<machine>:index     zset  ids by state and age
--   4 due     {ns:p}:<machine>:due       zset  ids by their next timer
-- ARGV
--   1 id
--   2 state      the entity's state when it was read, '' if it had none
--   3 stay       its times of entry and of the last heartbeat then, '' if it had none
--   4 score      its score in index then, '' if it had none
--   5 timer      its score in due then, '' if it had none
--   6 length     of its log then; compared only if the log is to change
--   7 new_score  its right score in index; '-' removes the entry, '' keeps it
--   8 new_timer  its right score in due; '-' removes the timer, '' keeps it
--   9 new_log    '-' deletes the log, '+' creates it, '' keeps it
--   10 version   the entity's version when it was read; compared only for '+'
--   11 and on    for '+', the elements of the new log, oldest first
-- Reply
--   OK       the entity is repaired
--   CHANGED  the entity has changed since it was read; nothing was written
-- Errors
--   NOPERM <command>

local call, may = redis.call, redis.acl_check_cmd

-- 1 inputs
local entity_key, log_key, index_key, due_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, state, stay, score, timer = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local length, new_score, new_timer, new_log, version = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]

-- 2 read
local hash = call('HMGET', entity_key, 'state', 'times:ms', 'version')
local is_same = (hash[1] or '') == state and string.match(hash[2] or ' ', ' (.*)') == stay
  and (call('ZSCORE', index_key, id) or '') == score and (call('ZSCORE', due_key, id) or '') == timer
  and (state .. stay ~= '' or call('EXISTS', entity_key) == 0)
  and (new_log == '' or tostring(call('LLEN', log_key)) == length)
  and (new_log ~= '+' or hash[3] == version)

-- 3 reject
if not is_same then return 'CHANGED' end
local commands = {}
local function add(...) commands[#commands + 1] = { ... } end
if new_score == '-' then add('ZREM', index_key, id)
elseif new_score ~= '' then add('ZADD', index_key, new_score, id) end
if new_timer == '-' then add('ZREM', due_key, id)
elseif new_timer ~= '' then add('ZADD', due_key, new_timer, id) end
if new_log == '-' then add('DEL', log_key)
elseif new_log == '+' then add('RPUSH', log_key, unpack(ARGV, 11)) end
for _, command in ipairs(commands) do
  if not may(unpack(command)) then return redis.error_reply('NOPERM ' .. string.lower(command[1])) end
end

-- 4 write
for _, command in ipairs(commands) do call(unpack(command)) end
return 'OK'
