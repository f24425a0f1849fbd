import { setTimeout as pause } from "node:timers/promises";
import { ConnectError } from "../errors/connect-error.js";
import { backoffMs } from "./backoff.js";
import { mayPassSoon } from "./connect-error.js";
import type { Connection } from "./connection.js";
import { Deadline } from "./deadline.js";

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;

/**
 * Opens a further connection. Retries for the timeout of a call if the server is unreachable.
 *
 * @param open opens it once. Each attempt may take `connectTimeoutMs`, also if the timeout of a call is shorter.
 * @param isWanted returns false if the caller has ended
 * @throws ConnectError of the last attempt if the timeout has passed or a retry cannot help
 */
export async function openInTime<T>(
  connection: Connection,
  open: () => Promise<T>,
  isWanted: () => boolean = () => true,
): Promise<T> {
  const deadline = Deadline.in(connection.timeoutMs);
  for (let failed = 0; ; failed += 1) {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof ConnectError) || !mayPassSoon(error)) throw error;
      if (!isWanted() || deadline.isOver) throw error;
      await pause(Math.min(backoffMs(failed, FIRST_PAUSE_MS, LONGEST_PAUSE_MS), deadline.remainingMs));
    }
  }
}
