/**
 * How long to pause before trying again: a random part ("full jitter") of a length that doubles, so that callers who
 * failed together do not come back together. After M. Brooker, "Exponential Backoff And Jitter", AWS Architecture
 * Blog, 2015.
 *
 * @param attempt how many have failed since the last success, less one
 * @param baseMs the longest first pause
 * @param longestMs the longest pause of all
 */
export function backoffMs(attempt: number, baseMs: number, longestMs: number): number {
  return Math.random() * Math.min(longestMs, baseMs * 2 ** Math.min(attempt, 30));
}
