const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/**
 * An amount of memory for people.
 *
 * @example
 * bytesText(1536); // "1.5KiB"
 */
export function bytesText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  const amount = bytes / 1024 ** power;
  return `${power === 0 ? Math.round(amount) : amount.toFixed(1)}${UNITS[power]}`;
}
