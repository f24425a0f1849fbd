import { createHash } from "node:crypto";

/** Mends an entity's places in index, due and log, if nothing that they follow from has changed since it was looked at. */
const TEXT = `#!lua
-- KEYS
--   1 entity  2 log  3 index  4 due
-- ARGV
--   1 id
--   2 to 6  as seen: state and since of the hash, score in the index, score in due ('' for none), length of the log
--   7 to 9  to be: score in the index, ms in due, length of the log; '' leaves it, '-' takes it away, '+' begins the log
--   10 on   version as seen, and the changes to begin the log with: for '+' alone
-- Reply OK, or CHANGED where it is not as it was seen, in what places follow from: nothing is written then
local call, may = redis.call, redis.acl_check_cmd
local id = ARGV[1]
local index, due, log = ARGV[7], ARGV[8], ARGV[9]
local hash = call('HMGET', KEYS[1], 'state', 'since', 'version')
local seen = { hash[1] or '', hash[2] or '', call('ZSCORE', KEYS[3], id) or '', call('ZSCORE', KEYS[4], id) or '' }
for i = 1, 4 do
  if seen[i] ~= ARGV[i + 1] then return 'CHANGED' end
end
if seen[1] .. seen[2] == '' and call('EXISTS', KEYS[1]) == 1 then return 'CHANGED' end
if log ~= '' and tostring(call('LLEN', KEYS[2])) ~= ARGV[6] then return 'CHANGED' end
if log == '+' and hash[3] ~= ARGV[10] then return 'CHANGED' end
local commands = {}
if index == '-' then commands[#commands + 1] = { 'ZREM', KEYS[3], id }
elseif index ~= '' then commands[#commands + 1] = { 'ZADD', KEYS[3], index, id } end
if due == '-' then commands[#commands + 1] = { 'ZREM', KEYS[4], id }
elseif due ~= '' then commands[#commands + 1] = { 'ZADD', KEYS[4], due, id } end
if log == '-' then commands[#commands + 1] = { 'DEL', KEYS[2] }
elseif log == '+' then commands[#commands + 1] = { 'RPUSH', KEYS[2], unpack(ARGV, 11) }
elseif log ~= '' then commands[#commands + 1] = { 'LTRIM', KEYS[2], '-' .. log, '-1' } end
for _, command in ipairs(commands) do
  if not may(unpack(command)) then return redis.error_reply('NOPERM ' .. string.lower(command[1])) end
end
for _, command in ipairs(commands) do call(unpack(command)) end
return 'OK'`;

/** The script with its SHA-1, as it is run. */
export const MEND = { text: TEXT, sha1: createHash("sha1").update(TEXT).digest("hex") } as const;
