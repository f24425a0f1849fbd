const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * Formats a length of time for people, with a precision that fits its size.
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

/**
 * Formats a due time for people.
 *
 * @example
 * dueText(90_000, 60_000); // "in 30s"
 * dueText(60_000, 90_000); // "overdue by 30s"
 */
export function dueText(dueMs: number, nowMs: number): string {
  return dueMs > nowMs ? `in ${ageText(dueMs - nowMs)}` : `overdue by ${ageText(nowMs - dueMs)}`;
}
