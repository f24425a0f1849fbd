import { once } from "node:events";
import { createServer } from "node:net";
import { ServerStartError } from "../errors/server-start-error.js";
import { checkPort } from "./arguments.js";

const PORT_TRIES = 5;

/**
 * Starts a server on the wanted port, else on a free one. If another program takes the free port before the server does,
 * it tries the next one.
 *
 * @throws ContractError if the port is invalid, and what `start` throws
 */
export async function withPort<T>(
  wanted: number | undefined,
  start: (port: number) => Promise<T>,
): Promise<T> {
  if (wanted !== undefined) return start(checkPort(wanted));
  for (let tries = 1; ; tries += 1) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (!(error instanceof ServerStartError && error.portInUse) || tries === PORT_TRIES) throw error;
    }
  }
}

/**
 * Finds a TCP port on 127.0.0.1 that is free now. Another program may take it before it is used, so the caller must be
 * able to try another one.
 */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string")
    throw new ServerStartError("The system gave no TCP port.");
  return address.port;
}
