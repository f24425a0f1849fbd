-- Reads the option words of ARGV from position `option` on, in any order. Leaves nil for an absent word, else
--   op, if_state, seen           text; with `seen`, its first number is in `seen_ms`
--   actor, reason                text, as it appears in a document
--   not_after, if_version        number
--   force, dry_run               true
--   set                          flat list: field, JSON, field, JSON
--   unset                        list of fields, and true by field
local op, seen, seen_ms, actor, reason, not_after, if_version, if_state, force, dry_run, set, unset
local args, wrong = ARGV
local word = args[option]
while word do
  local value = args[option + 1]
  option = option + 2
  if word == 'OP' then
    wrong = (op or not value or #value > 64 or not find(value, '^[%w_.~:/@+=-]+$')) and 'OP'
    op = value
  elseif word == 'ACTOR' then
    value = value and (#value <= 128 and find(value, '^[]-~ !#-[]+$') and '"' .. value .. '"' or json_text(value, 128))
    wrong = (actor or not value) and 'ACTOR'
    actor = value and ',"actor":' .. value
  elseif word == 'REASON' then
    value = value and json_text(value, 1024)
    wrong = (reason or not value) and 'REASON'
    reason = value and ',"reason":' .. value
  elseif word == 'SEEN' then
    seen_ms = value and #value <= 31 and string.match(value, '^(%d+)-%d+$')
    wrong = (seen or not seen_ms or #seen_ms > 15 or #value - #seen_ms > 16) and 'SEEN'
    seen, seen_ms = value, (seen_ms or 0) + 0
  elseif word == 'NOTAFTER' or word == 'IFVERSION' then
    -- Digits only, because arithmetic accepts nan, 0x10 and 1e3; at most 15, because more are not exact.
    value = value and #value <= 15 and find(value, '^%d+$') and value + 0
    if word == 'NOTAFTER' then
      wrong = (not_after or not value) and 'NOTAFTER'
      not_after = value
    else
      wrong = (if_version or not value) and 'IFVERSION'
      if_version = value
    end
  elseif word == 'IFSTATE' then
    wrong = (if_state or not value or #value > 32 or not find(value, '^%l[%w_-]*$')) and 'IFSTATE'
    if_state = value
  elseif word == 'SET' then
    local json = args[option]
    option = option + 1
    set = set or {}
    if json and not (#json <= 65536 and find(json, '^"[]-~ !#-[]*"$')
      or #json <= 100 and find(json, '^-?[1-9]%d*$')) then
      json = json_text(json, 65536, true)
    end
    wrong = (not json or #set == 128) and 'SET' -- 64 fields
    if value and not is_field(value) then wrong = 'field' end
    for i = 1, #set, 2 do
      if set[i] == value then wrong = 'SET' end
    end
    set[#set + 1] = value
    set[#set + 1] = json
  elseif word == 'UNSET' then
    unset = unset or {}
    wrong = (not value or #unset == 64) and 'UNSET' or not is_field(value) and 'field'
    if value and not unset[value] then unset[#unset + 1], unset[value] = value, true end
  elseif word == 'FORCE' then
    wrong = force and 'FORCE'
    force, option = true, option - 1
  elseif word == 'DRYRUN' then
    wrong = dry_run and 'DRYRUN'
    dry_run, option = true, option - 1
  else
    wrong = 'option'
  end
  if wrong then return redis.error_reply('BADARG ' .. wrong) end
  word = args[option]
end
if op and not seen then return redis.error_reply('BADARG SEEN') end
if seen and not op then return redis.error_reply('BADARG OP') end
if set and unset then
  for i = 1, #set, 2 do
    if unset[set[i]] then return redis.error_reply('BADARG UNSET') end
  end
end
