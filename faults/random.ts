/** Makes random numbers that are the same for the same seed (mulberry32, by Tommy Ettinger, public domain). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Returns an integer from 0 to `below` - 1. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return Math.floor((((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  /** Returns one of the items. */
  of<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("Nothing to choose from");
    return item;
  }
}

/** Derives a seed for one purpose from the seed of a run. Choices for one purpose do not affect those for another. */
export function seedFor(seed: number, ...purpose: readonly (string | number)[]): number {
  let hash = 0x811c9dc5 ^ seed; // FNV-1a
  for (const character of purpose.join("\0")) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  return hash >>> 0;
}

/** Makes random numbers for one purpose. */
export function randomFor(seed: number, ...purpose: readonly (string | number)[]): Random {
  return new Random(seedFor(seed, ...purpose));
}

/** Returns true with a probability in percent. */
export function happens(random: Random, percent: number): boolean {
  return random.below(10_000) < percent * 100;
}

/** Returns the items in a random order. */
export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, place: random.below(2 ** 31) }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
