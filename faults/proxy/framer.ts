const CR = 13;
const [STAR, DOLLAR, MINUS, ZERO] = [42, 36, 45, 48];

/** Splits the bytes of a connection into complete RESP values: requests in one direction, replies in the other. */
export class Framer {
  #rest: Buffer = Buffer.alloc(0);

  /** Returns the values that are complete with this piece, in order. */
  push(piece: Buffer): Buffer[] {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const frames: Buffer[] = [];
    let start = 0;
    for (;;) {
      const end = endOfFrame(bytes, start);
      if (end === undefined) break;
      frames.push(bytes.subarray(start, end));
      start = end;
    }
    this.#rest = bytes.subarray(start);
    return frames;
  }

  /** Returns the incomplete rest and forgets it. */
  takeRest(): Buffer {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return rest;
  }
}

/** Returns the end of the value that begins at `at`, or undefined if it is incomplete. */
function endOfFrame(bytes: Buffer, at: number): number | undefined {
  let left = 1;
  let position = at;
  while (left > 0) {
    const kind = bytes[position];
    if (kind === undefined) return undefined;
    const lineEnd = endOfLine(bytes, position + 1, kind);
    if (lineEnd === undefined) return undefined;
    left -= 1;
    if (kind === STAR) left += Math.max(0, numberAt(bytes, position + 1));
    if (kind === DOLLAR) {
      const length = numberAt(bytes, position + 1);
      position = length < 0 ? lineEnd : lineEnd + length + 2;
      if (position > bytes.length) return undefined;
    } else position = lineEnd;
  }
  return position;
}

/** Returns the position after the line's CRLF. Short lines are searched here, others natively. */
function endOfLine(bytes: Buffer, from: number, kind: number): number | undefined {
  let at = from;
  if (kind === STAR || kind === DOLLAR) while (at < bytes.length && bytes[at] !== CR) at += 1;
  else at = bytes.indexOf(CR, from);
  return at === -1 || at + 2 > bytes.length ? undefined : at + 2;
}

function numberAt(bytes: Buffer, from: number): number {
  if (bytes[from] === MINUS) return -1;
  let value = 0;
  for (let at = from; ; at += 1) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return value;
    value = value * 10 + digit;
  }
}
