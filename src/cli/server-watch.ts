import { unlessAborted } from "../valkey/ask.js";
import { PATIENCE } from "../valkey/ask-each.js";
import type { Connection } from "../valkey/connection.js";
import { Deadline } from "../valkey/deadline.js";
import { isOffline } from "../valkey/failure.js";
import { hint } from "../valkey/hint.js";
import { pause } from "../valkey/real-time.js";
import { shownText } from "./output/terminal-text.js";

/** Time in ms between two looks at a server that is connected. */
const LOOK_MS = 1_000;

/** Returns the line that reports an outage. */
export function awayLine(why: string): string {
  return shownText(`server unreachable, retrying: ${why}`);
}

/**
 * Reports once if the server of a key is unreachable for half of the timeout of a call, and once if it is back, until the signal is
 * aborted. The call that needs the server retries by itself.
 */
export async function watchServer(
  connection: Connection,
  signal: AbortSignal,
  note: (line: string) => void,
): Promise<void> {
  const untilReady = (ms: number): Promise<void> =>
    unlessAborted(connection.untilReady(Deadline.in(ms)), signal);
  try {
    for (;;) {
      try {
        await untilReady(connection.timeoutMs * PATIENCE);
      } catch (error) {
        if (signal.aborted || !isOffline(error)) return;
        note(awayLine(hint(error, connection.place)));
        await untilReady(Number.POSITIVE_INFINITY);
        note("connected again");
      }
      await pause(LOOK_MS, undefined, { signal });
    }
  } catch {
    // The call ends too, and reports why.
  }
}
