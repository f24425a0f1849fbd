-- Returns a caller's text of 1 to `limit` bytes as JSON in one line: if it must be JSON already (`is_json`), without
-- tabs and line ends between its tokens, else as a JSON string without control characters. Returns nil if it is not
-- JSON, not valid UTF-8 (RFC 3629), nested deeper than 100, or has a number that a double cannot hold or that has more
-- than 100 characters.
-- cjson.decode checks the structure only: it accepts nan, inf, Infinity, 0x10, 01, 1., +1, a lone -, raw control
-- characters in strings and broken UTF-8. The scans before it reject these.
local function json_text(text, limit, is_json)
  local find, gsub = string.find, string.gsub
  if #text == 0 or #text > limit then return nil end
  if find(text, '[^ -~]') then
    -- JSON may have whitespace between its tokens.
    if find(text, is_json and '[%z\1-\8\11\12\14-\31]' or '[%z\1-\31]') then return nil end
    -- One scan per form replaces well-formed sequences by blanks; any byte above 127 that remains is invalid.
    local tail = '[\128-\191]'
    local rest = gsub(text, '[\241-\243]' .. tail .. tail .. tail, ' ')
    rest = gsub(rest, '\240[\144-\191]' .. tail .. tail, ' ')
    rest = gsub(rest, '\244[\128-\143]' .. tail .. tail, ' ')
    rest = gsub(rest, '[\225-\236\238\239]' .. tail .. tail, ' ')
    rest = gsub(rest, '\224[\160-\191]' .. tail, ' ')
    rest = gsub(rest, '\237[\128-\159]' .. tail, ' ')
    rest = gsub(rest, '[\194-\223]' .. tail, ' ')
    if find(rest, '[\128-\255]') then return nil end
  end
  if not is_json then return '"' .. gsub(text, '["\\]', '\\%0') .. '"' end

  local bare = text
  if find(bare, '\\', 1, true) then
    -- Escapes become letters, so that every remaining quote begins or ends a string. The \u of a lone surrogate
    -- keeps its backslash, because parsers disagree about it.
    bare = gsub(bare, '\\(.)', {
      ['"'] = '_', ['\\'] = '_', ['/'] = '_', b = '_', f = '_', n = '_', r = '_', t = '_' })
    bare = gsub(bare, '\\u[dD][89abAB]%x%x\\u[dD][c-fC-F]%x%x', '_')
    bare = gsub(bare, '\\u[0-9a-cA-CefEF]%x%x%x', '_')
    bare = gsub(bare, '\\u[dD][0-7]%x%x', '_')
  end
  -- Strings become quotes. Punctuation, literals and numbers remain, with a blank at each end. Each scan below runs
  -- only if the text contains a character that it looks for.
  bare = gsub(' ' .. bare .. ' ', '"([^"]*)"', function(inside) return find(inside, '[\t\n\r\\]') and '\\' or '"' end)
  if find(bare, '%a') then
    bare = gsub(bare, '%f[%w]%l+%f[%W]', { ['true'] = '', ['false'] = '', ['null'] = '' })
    bare = gsub(bare, '(%d)[eE]([+-]?%d)', '%1~%2')
  end
  local is_lax = find(bare, '[%a\\]')
    or find(bare, '[-+.]') and (find(bare, '%-%D') or find(bare, '[^~]%+') or find(bare, '%.%D') or find(bare, '%D%.'))
    or find(bare, '0%d') and (find(bare, '[^%d.~+-]0%d') or find(bare, '[^~]%-0%d'))
  if is_lax then return nil end
  if #bare > 100 or find(bare, '~', 1, true) then
    for number in string.gmatch(bare, '[%d.~+-]+') do
      local value = #number <= 100 and tonumber((gsub(number, '~', 'e')))
      if not value or value == math.huge or value == -math.huge then return nil end
    end
    local depth = 0
    for bracket in string.gmatch(bare, '[%[%]{}]') do
      depth = depth + ((bracket == '[' or bracket == '{') and 1 or -1)
      if depth > 100 then return nil end
    end
  end
  if not pcall(cjson.decode, text) then return nil end
  return find(text, '[\t\n\r]') and gsub(text, '[\t\n\r]+', '') or text
end
