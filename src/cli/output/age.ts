const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * A length of time for people, as exact as its size deserves.
 *
 * @example
 * ageText(5_400); // "5s"
 * ageText(192_000); // "3m12s"
 */
export function ageText(ms: number): string {
  const age = Math.max(0, ms);
  if (age < 2 * MINUTE) return `${Math.floor(age / SECOND)}s`;
  if (age < 10 * MINUTE) return both(age, MINUTE, "m", SECOND, "s");
  if (age < 3 * HOUR) return `${Math.floor(age / MINUTE)}m`;
  if (age < 8 * HOUR) return both(age, HOUR, "h", MINUTE, "m");
  if (age < 2 * DAY) return `${Math.floor(age / HOUR)}h`;
  if (age < 8 * DAY) return both(age, DAY, "d", HOUR, "h");
  return `${Math.floor(age / DAY)}d`;
}

function both(age: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((age % large) / small);
  return `${Math.floor(age / large)}${largeUnit}${rest === 0 ? "" : `${rest}${smallUnit}`}`;
}
