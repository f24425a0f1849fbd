import { awaitServer } from "../valkey/await-server.js";
import { silentLogger } from "../valkey/logger.js";
import { awayLine } from "./server-watch.js";

/**
 * Connects a command that runs until it is stopped. While the server is not up yet, it waits without a limit, and reports
 * that once, as it reports an outage that begins later.
 *
 * @param note writes a line for people
 * @throws the error of `open` if a retry cannot help, such as a wrong password
 */
export async function startPatiently<T>(open: () => Promise<T>, note: (line: string) => void): Promise<T> {
  let isLate = false;
  const warn = (progress: object): void => {
    isLate = true;
    note(awayLine("error" in progress ? String(progress.error) : "")); // the first failure
  };
  const opened = await awaitServer(open, true, { ...silentLogger, warn });
  if (isLate) note("connected");
  return opened;
}
