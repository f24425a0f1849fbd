/** A place in a machine's event log: the ID of an entry, as two numbers. */
export interface Position {
  readonly ms: number;
  readonly sequence: number;
}

/** A tombstone is exact up to this sequence. */
const MOST_SEQUENCE = 1023;

/** Reads a position. Undefined if it is malformed. A cursor may have more after `@`. */
export function positionOf(text: string): Position | undefined {
  const [, ms, sequence] = /^(\d+)-(\d+)(?:@.*)?$/.exec(text) ?? [];
  return ms === undefined || sequence === undefined
    ? undefined
    : { ms: Number(ms), sequence: Number(sequence) };
}

export function positionText({ ms, sequence }: Position): string {
  return `${ms}-${sequence}`;
}

export function isAfter(one: Position, other: Position): boolean {
  return one.ms > other.ms || (one.ms === other.ms && one.sequence > other.sequence);
}

/** Returns the position of a removal whose event has this one. */
export function removalPosition({ ms, sequence }: Position): Position {
  return sequence > MOST_SEQUENCE ? { ms: ms + 1, sequence: 0 } : { ms, sequence };
}

/** Returns the score of a removed id in the index. */
export function tombstoneScore(removal: Position): number {
  const { ms, sequence } = removalPosition(removal);
  return -(ms * (MOST_SEQUENCE + 1) + sequence);
}
