import type { Deadline } from "./deadline.js";
import { pause } from "./real-time.js";

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;

/**
 * Computes the delay before a retry: exponential backoff with full jitter, so that callers that failed together do not
 * retry together. After M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 *
 * @param attempt number of failures since the last success, less one
 * @param baseMs upper bound of the first delay
 * @param longestMs upper bound of all delays
 */
export function backoffMs(attempt: number, baseMs: number, longestMs: number): number {
  return Math.random() * Math.min(longestMs, baseMs * 2 ** Math.min(attempt, 30));
}

/** Waits before a call is retried, at most until the deadline. `failed` is the number of failures before the last one. */
export async function pauseBeforeRetry(failed: number, deadline: Deadline): Promise<void> {
  await pause(Math.min(backoffMs(failed, FIRST_PAUSE_MS, LONGEST_PAUSE_MS), deadline.remainingMs));
}
