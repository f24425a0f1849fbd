import { setTimeout as pause } from "node:timers/promises";
import { ConnectError } from "../errors/connect-error.js";
import { backoffMs } from "./backoff.js";
import { mayPassSoon } from "./connect-error.js";
import type { Connection } from "./connection.js";
import { Deadline } from "./deadline.js";

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;

/**
 * Makes a further connection and readies it, again and again for as long as a call may take: a server that is away for
 * a moment fails neither a call nor this.
 *
 * @param open makes it. Each time has the whole of `connectTimeoutMs`, also where the time of a call is shorter.
 * @param isWanted false where nobody waits for it any more
 * @throws ConnectError, the last one, where it can't be made by then, or trying again would not help.
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
