import { once } from "node:events";
import { createServer } from "node:net";

/** Below the ports of outgoing connections, because one of those could take the port of a stopped server. */
const [LOWEST, COUNT] = [20_000, 12_000];
let next = (process.pid * 61) % COUNT;

/** Finds a free TCP port on 127.0.0.1, another one for each call. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < COUNT; tries += 1) {
    const port = LOWEST + (next % COUNT);
    next += 1;
    const probe = createServer().listen(port, "127.0.0.1");
    const isFree = await Promise.race([
      once(probe, "listening").then(() => true),
      once(probe, "error").then(() => false),
    ]).catch(() => false);
    if (!isFree) continue;
    probe.close();
    await once(probe, "close");
    return port;
  }
  throw new Error(`No TCP port from ${LOWEST} to ${LOWEST + COUNT - 1} is free`);
}
