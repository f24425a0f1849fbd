-- Checks the id, and that the six keys belong to it: one partition and machine, in the right order. apply checks the
-- names in the keys, so there is no machine under others.
-- Takes `id` and the keys, leaves `prefix`.
if not id or #id > 128 or not find(id, '^[%w_.~:/@+=-]+$') then return redis.error_reply('BADARG id') end
local prefix = sub(machine_key or '', 1, -8)
if machine_key ~= prefix .. 'machine' or entity_key ~= prefix .. 'id:' .. id or log_key ~= prefix .. 'log:' .. id
  or index_key ~= prefix .. 'index' or due_key ~= prefix .. 'due' or events_key ~= prefix .. 'events' or KEYS[7] then
  return redis.error_reply('BADARG keys')
end
