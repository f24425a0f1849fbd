import { setTimeout as pause } from "node:timers/promises";

/** A question to all nodes of a cluster costs some milliseconds of CPU time, which the proxies need too. */
const LOOK_MS = 50;
const TIMEOUT_MS = 60_000;

/**
 * Polls until `ask` returns a value. A failure of `ask` counts as no value, unless it is the last one.
 *
 * @param what describes what did not happen, for the error
 * @throws Error after a minute
 */
export async function poll<T>(what: string | (() => string), ask: () => Promise<T | undefined>): Promise<T> {
  const until = performance.now() + TIMEOUT_MS;
  for (;;) {
    const answer = await ask().catch((error: unknown) => {
      if (performance.now() > until) throw error;
      return undefined;
    });
    if (answer !== undefined) return answer;
    const name = typeof what === "string" ? what : what();
    if (performance.now() > until) throw new Error(`${name} for ${TIMEOUT_MS / 1000} seconds`);
    await pause(LOOK_MS);
  }
}
