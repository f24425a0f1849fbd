-- True for one strict JSON value (RFC 8259) in valid UTF-8, of at most `limit` bytes.
-- cjson.decode alone is no judge: it accepts nan, inf, Infinity, 0x10, 01, 1., +1, a lone -, raw control
-- characters inside strings and broken UTF-8. It judges the structure; the scans before it, what it lets pass.
local function is_json(text, limit)
  local find, gsub = string.find, string.gsub
  if #text > limit then return false end
  if find(text, '^"[ !#-%[%]-~]*"$') or find(text, '^-?[1-9]%d*$') or text == 'true' or text == 'false' then
    return true
  end
  if not is_text(text, limit, true) then return false end
  -- Escapes become letters, so that every quote that is left begins or ends a string. A \u that is a lone
  -- surrogate keeps its backslash: parsers disagree about it.
  local plain = gsub(text, '\\(.)', {
    ['"'] = '_', ['\\'] = '_', ['/'] = '_', b = '_', f = '_', n = '_', r = '_', t = '_' })
  plain = gsub(plain, '\\u[dD][89abAB]%x%x\\u[dD][c-fC-F]%x%x', '_')
  plain = gsub(plain, '\\u[0-9a-cA-CefEF]%x%x%x', '_')
  plain = gsub(plain, '\\u[dD][0-7]%x%x', '_')
  -- Strings become quotes. What is left is punctuation, literals and numbers, with a blank at either end.
  local bare = gsub(plain, '"([^"]*)"', function(inside) return find(inside, '[\t\n\r\\]') and '\\' or '"' end)
  bare = gsub(' ' .. bare .. ' ', '%f[%w]%l+%f[%W]', { ['true'] = '', ['false'] = '', ['null'] = '' })
  bare = gsub(bare, '(%d)[eE]([+-]?%d)', '%1~%2')
  return not (find(bare, '[%a\\]') or find(bare, '%-%D') or find(bare, '[^~]%+')
    or find(bare, '%.%D') or find(bare, '%D%.')
    or find(bare, '[^%d.~+-]0%d') or find(bare, '[^~]%-0%d')) and (pcall(cjson.decode, text))
end
