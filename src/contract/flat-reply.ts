/** Pairs up a flat reply of names and values. */
export function pairsOf<T>(flat: readonly T[]): [name: string, value: T][] {
  const pairs: [string, T][] = [];
  for (let at = 1; at < flat.length; at += 2) pairs.push([String(flat[at - 1]), flat[at] as T]);
  return pairs;
}

/** Reads a reply of IDs WITHSCORES. Only damaged data has an infinite score. */
export function scoredIds(flat: readonly string[]): { readonly id: string; readonly score: number }[] {
  return pairsOf(flat).map(([id, score]) => ({ id, score: Number(score.replace("inf", "Infinity")) }));
}

/** Reads the ids of a reply WITHSCORES from the index. Negative scores are tombstones, which mark removed ids. */
export function liveIds(flat: readonly string[]): string[] {
  return scoredIds(flat).flatMap(({ id, score }) => (score < 0 ? [] : [id]));
}
