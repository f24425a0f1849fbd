-- Returns a time in ms as ISO-8601 text in UTC. Days to date: C. Neri and L. Schneider, "Euclidean affine functions
-- and their application to calendar algorithms"; their years begin in March. x - x % n rounds down without a call.
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
  local month = (days - of_month) / 153
  if month > 12 then month, year = month - 12, year + 1 end
  return string.format('%d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, of_month / 5 + 1,
    in_day / 3600000, in_day / 60000 % 60, in_day / 1000 % 60, in_day % 1000)
end
