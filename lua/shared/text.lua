-- True for 1 to `limit` bytes of valid UTF-8 (RFC 3629) without control characters.
-- `allow_control` lets tabs, newlines and carriage returns through (whitespace between JSON tokens).
local function is_text(text, limit, allow_control)
  if #text == 0 or #text > limit then return false end
  if string.find(text, '^[ -~]+$') then return true end
  if string.find(text, allow_control and '[%z\1-\8\11\12\14-\31]' or '[%z\1-\31]') then return false end
  if not string.find(text, '[\128-\255]') then return true end
  -- Well-formed sequences become blanks, a scan per form; a byte above 127 that is left belongs to none.
  local gsub, tail = string.gsub, '[\128-\191]'
  local rest = gsub(text, '[\241-\243]' .. tail .. tail .. tail, ' ')
  rest = gsub(rest, '\240[\144-\191]' .. tail .. tail, ' ')
  rest = gsub(rest, '\244[\128-\143]' .. tail .. tail, ' ')
  rest = gsub(rest, '[\225-\236\238\239]' .. tail .. tail, ' ')
  rest = gsub(rest, '\224[\160-\191]' .. tail, ' ')
  rest = gsub(rest, '\237[\128-\159]' .. tail, ' ')
  rest = gsub(rest, '[\194-\223]' .. tail, ' ')
  return not string.find(rest, '[\128-\255]')
end
