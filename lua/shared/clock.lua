-- The server's clock in ms, never behind `last` (ms of the entity's last change, 0 for none).
local function clock(last)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  return now < last and last or now
end

-- ISO-8601 UTC text of a time in ms, a number or its text. Days to date: Howard Hinnant, "chrono-compatible
-- low-level date algorithms", civil_from_days, whose years begin in March. x - x % n rounds down without a call.
local function iso(ms)
  local in_day = ms % 86400000
  local day = (ms - in_day) / 86400000 + 719468
  local of_era = day % 146097
  local year = of_era - (of_era - of_era % 1460) / 1460 + (of_era - of_era % 36524) / 36524
    - (of_era - of_era % 146096) / 146096
  year = (year - year % 365) / 365
  local of_year = of_era - 365 * year - (year - year % 4) / 4 + (year - year % 100) / 100
  local month = 5 * of_year + 2
  month = (month - month % 153) / 153
  local date = 153 * month + 2
  date = of_year - (date - date % 5) / 5 + 1
  year = year + (day - of_era) / 146097 * 400
  if month < 10 then month = month + 3 else month, year = month - 9, year + 1 end
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, date,
    in_day / 3600000, in_day / 60000 % 60, in_day / 1000 % 60, in_day % 1000)
end
