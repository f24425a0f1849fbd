import { checkDuration, checkId, checkOptions, checkSignal } from "../contract/arguments.js";
import type { Snapshot } from "../contract/document.js";
import type { Duration } from "../machine/duration.js";
import { onAbort } from "../valkey/on-abort.js";
import { clearTimeout, setTimeout } from "../valkey/real-time.js";
import { Wait } from "./wait.js";
import { WaitGoal, type WaitTarget } from "./wait-goal.js";
import type { WaitSource } from "./wait-source.js";

export type { WaitTarget } from "./wait-goal.js";

/** Options of `waitFor`. */
export interface WaitOptions {
  /**
   * After this time the wait ends with a `WaitError`, also while the server is unreachable. At most 24 days.
   * @default "30s"
   */
  readonly timeout?: Duration;
  /** Ends the wait when aborted: it is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

const OPTIONS: readonly (keyof WaitOptions)[] = ["timeout", "signal"];
/** Default time limit of a wait in ms. */
export const DEFAULT_WAIT_MS = 30_000;
/** The longest time that Node's timers take, in whole days. */
const LONGEST_TIMEOUT_MS = 24 * 86_400_000;

/** Waits until an entity matches. It is read once and then followed in the event log, which omits nothing. */
export async function waitFor<S extends string, F extends object>(
  source: WaitSource<S>,
  id: string,
  target: WaitTarget<S, F>,
  options: WaitOptions,
): Promise<Snapshot<S, F>> {
  checkId("id", id, 128);
  checkOptions(options, OPTIONS);
  const { timeout = DEFAULT_WAIT_MS, signal } = options;
  const timeoutMs = checkDuration("timeout", timeout, LONGEST_TIMEOUT_MS);
  checkSignal(signal);
  const goal = new WaitGoal(source.definition, target as WaitTarget<S>);
  signal?.throwIfAborted();
  const wait = new Wait<S>(source, id, goal);
  const timer = setTimeout(() => void wait.timeUp(timeoutMs), timeoutMs);
  const unlisten = onAbort(signal, () => wait.onEnd(signal?.reason));
  wait.follow();
  try {
    return (await wait.result) as Snapshot<S, F>;
  } finally {
    clearTimeout(timer);
    unlisten();
    source.leave(wait);
  }
}
