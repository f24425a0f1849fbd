/**
 * Formats a number with its noun, in the singular or the plural.
 *
 * @example countText(2, "entity", "entities") // "2 entities"
 */
export function countText(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
