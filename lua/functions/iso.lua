-- Returns a time in ms as ISO-8601 text in UTC. Days to date: C. Neri and L. Schneider, "Euclidean affine functions
-- and their application to calendar algorithms"; their years begin in March. x - x % n rounds down without a call.
-- The digits are bytes, because string.format costs twice as much.
local function iso(ms)
  local in_day = ms % 86400000
  local days = 4 * ((ms - in_day) / 86400000 + 719468) + 3
  local of_century = days % 146097
  local century = (days - of_century) / 146097
  days = of_century - of_century % 4 + 3
  local of_year = days % 1461
  local year = 100 * century + (days - of_year) / 1461
  days = 5 * (of_year - of_year % 4) / 4 + 461
  local of_month = days % 153
  local month, day = (days - of_month) / 153, (of_month - of_month % 5) / 5 + 1
  if month > 12 then month, year = month - 12, year + 1 end
  -- 48 is '0'; string.char cuts fractions off
  return string.char(48 + year / 1000, 48 + year / 100 % 10, 48 + year / 10 % 10, 48 + year % 10, 45,
    48 + month / 10, 48 + month % 10, 45, 48 + day / 10, 48 + day % 10, 84,
    48 + in_day / 36000000, 48 + in_day / 3600000 % 10, 58, 48 + in_day / 600000 % 6, 48 + in_day / 60000 % 10, 58,
    48 + in_day / 10000 % 6, 48 + in_day / 1000 % 10, 46,
    48 + in_day / 100 % 10, 48 + in_day / 10 % 10, 48 + in_day % 10, 90)
end
