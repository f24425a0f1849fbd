import {
  checkDuration,
  checkOptions,
  checkSignal,
  checkWhole,
  refuse,
  shortText,
} from "../contract/arguments.js";
import { ConnectError } from "../errors/connect-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import type { Duration } from "../machine/duration.js";
import { backoffMs } from "./backoff.js";
import { mayPassSoon } from "./connect-error.js";
import { Deadline } from "./deadline.js";
import type { Logger } from "./logger.js";
import { pause, performance } from "./real-time.js";

/** Limits of the wait for a server that is not up yet. */
export interface ConnectRetry {
  /** Longest wait. A last attempt begins at its end, and takes a second at most. @default no limit */
  readonly for?: Duration;
  /** Largest number of retries. @default no limit */
  readonly attempts?: number;
  /** Time between two attempts. @default exponential backoff with full jitter, from 100 ms to 5 s */
  readonly delay?: Duration;
  /** Ends the wait when aborted: `connect` is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

const RETRY_OPTIONS: readonly (keyof ConnectRetry)[] = ["for", "attempts", "delay", "signal"];
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** Time of an attempt at the end of the wait. */
const LAST_ATTEMPT_MS = 1_000;
/** Replies of a server that starts, or that is not the primary yet. An empty one: there was no reply. */
const STARTING: ReadonlySet<string> = new Set(["", "LOADING", "BUSY", "MASTERDOWN"]);

/**
 * Connects. With `retry`, tries again while the server is not up yet, and logs its progress.
 *
 * @param open connects once, within a number of ms if it is given
 * @throws the last error of `open` if the time is up or a retry cannot help; the reason of the signal
 */
export async function awaitServer<T>(
  open: (limitMs?: number) => Promise<T>,
  retry: boolean | ConnectRetry,
  logger: Logger,
): Promise<T> {
  if (typeof retry !== "boolean" && (typeof retry !== "object" || retry === null))
    refuse(
      `retry must be true, false or an object (of for, attempts, delay, signal), not ${shortText(retry)}`,
    );
  if (retry === false) return open();
  const limits: ConnectRetry = retry === true ? {} : retry;
  checkOptions(limits, RETRY_OPTIONS, "retry");
  const { signal, attempts = Number.POSITIVE_INFINITY } = limits;
  checkSignal(signal);
  const limitMs =
    limits.for === undefined ? Number.POSITIVE_INFINITY : checkDuration("retry.for", limits.for);
  if (limits.attempts !== undefined) checkWhole("retry.attempts", attempts);
  const delayMs = limits.delay === undefined ? undefined : checkDuration("retry.delay", limits.delay);
  const beganAt = performance.now();
  const deadline = Deadline.in(limitMs);
  for (let failed = 0; ; failed += 1) {
    signal?.throwIfAborted();
    try {
      const attemptMs = Math.max(Math.ceil(deadline.remainingMs), failed > 0 ? LAST_ATTEMPT_MS : 1);
      const opened = await open(limits.for === undefined ? undefined : attemptMs);
      if (failed > 0) logger.info({ waitedMs: Math.round(performance.now() - beganAt) }, "the server is up");
      return opened;
    } catch (error) {
      const pauseMs = delayMs ?? backoffMs(failed, FIRST_PAUSE_MS, LONGEST_PAUSE_MS) + FIRST_PAUSE_MS;
      if (!isStarting(error) || failed >= attempts || deadline.isOver) throw error;
      const { message } = error;
      const waitedMs = Math.round(performance.now() - beganAt);
      const progress = { failed: failed + 1, waitedMs, error: message };
      logger[failed === 0 ? "warn" : "info"](progress, "the server is not up yet; waiting");
      await pause(Math.min(pauseMs, deadline.remainingMs), undefined, { ...(signal && { signal }) }).catch(
        () => {},
      ); // aborted: the next round throws
    }
  }
}

function isStarting(error: unknown): error is ConnectError | NotExecutedError {
  if (error instanceof ConnectError) return mayPassSoon(error);
  return error instanceof NotExecutedError && STARTING.has(error.reply);
}
