import { ConnectError } from "../errors/connect-error.js";
import { pauseBeforeRetry } from "./backoff.js";
import { mayPassSoon } from "./connect-error.js";
import type { Connection } from "./connection.js";
import { Deadline } from "./deadline.js";

/**
 * Opens a further connection. Retries for the timeout of a call if the server is unreachable.
 *
 * @param open opens it once. Each attempt may take `connectTimeoutMs`, also if the timeout of a call is shorter.
 * @param isWanted returns false if the caller has ended
 * @throws ConnectError of the last attempt if the timeout has passed or a retry cannot help
 */
export async function openInTime<T>(
  connection: Connection,
  open: (deadline: Deadline) => Promise<T>,
  isWanted: () => boolean = () => true,
): Promise<T> {
  const deadline = Deadline.in(connection.timeoutMs);
  for (let failed = 0; ; failed += 1) {
    try {
      return await open(deadline);
    } catch (error) {
      if (!(error instanceof ConnectError) || !mayPassSoon(error)) throw error;
      if (!isWanted() || deadline.isOver || connection.isEnded) throw error;
      await pauseBeforeRetry(failed, deadline);
    }
  }
}
