/**
 * Ops carry the server time from before their first attempt, so that a process which was killed knows it again when it
 * repeats them.
 */
export function newOp(process: string, number: number, sent: number): string {
  return `${process}.${number}@${sent}`;
}

/** The server time, in ms, from before the first attempt of an op. */
export function sentOf(op: string): number {
  return Number(op.slice(op.indexOf("@") + 1));
}
