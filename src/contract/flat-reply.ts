/** Pairs up a flat reply of names and values. */
export function pairsOf<T>(flat: readonly T[]): [name: string, value: T][] {
  return flat.flatMap((value, at): [string, T][] => (at % 2 === 1 ? [[String(flat[at - 1]), value]] : []));
}

/** Reads a reply of IDs WITHSCORES. Only damaged data has an infinite score. */
export function scoredIds(flat: readonly string[]): { readonly id: string; readonly score: number }[] {
  return pairsOf(flat).map(([id, score]) => ({ id, score: Number(score.replace("inf", "Infinity")) }));
}

/** Reads the ids of a reply WITHSCORES from the index. Negative scores are tombstones, which mark removed ids. */
export function liveIds(flat: readonly string[]): string[] {
  return scoredIds(flat).flatMap(({ id, score }) => (score < 0 ? [] : [id]));
}
