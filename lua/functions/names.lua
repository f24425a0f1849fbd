-- Returns true for the name of an own field. Names that the document or the hash uses are reserved.
local function is_field(field)
  return field and #field <= 64 and string.find(field, '^[%a_][%w_]*$')
    and not (field == 'type' or field == 'machine' or field == 'id' or field == 'from' or field == 'state'
      or field == 'version' or field == 'timestamp' or field == 'since' or field == 'createdAt' or field == 'created'
      or field == 'dueAt' or field == 'actor' or field == 'reason' or field == 'op' or field == 'opVersion'
      or field == 'forced')
end
