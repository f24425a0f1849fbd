import { Random } from "./random.js";

/** A seed for one purpose, drawn from the seed of the run: the choices of one part do not shift those of another. */
export function seedFor(seed: number, ...purpose: readonly (string | number)[]): number {
  let hash = 0x811c9dc5 ^ seed; // FNV-1a
  for (const character of purpose.join("\0")) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  return hash >>> 0;
}

/** Random numbers for one purpose. */
export function randomFor(seed: number, ...purpose: readonly (string | number)[]): Random {
  return new Random(seedFor(seed, ...purpose));
}

/** True with a chance of so many in a hundred. */
export function happens(random: Random, percent: number): boolean {
  return random.below(10_000) < percent * 100;
}

/** The items in another order. */
export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, place: random.below(2 ** 31) }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
