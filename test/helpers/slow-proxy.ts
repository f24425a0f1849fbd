import { once } from "node:events";
import { createConnection, createServer } from "node:net";
import { onTestFinished } from "vitest";

const TICK_MS = 5;

/** Returns the length of the first complete request in some bytes; 0 if it is not complete. */
function requestLength(bytes: Buffer): number {
  const end = bytes.indexOf("\r\n");
  if (end < 0) return 0;
  let at = end + 2;
  for (let left = Number(bytes.toString("latin1", 1, end)); left > 0; left -= 1) {
    const head = bytes.indexOf("\r\n", at);
    if (head < 0) return 0;
    at = head + 2 + Number(bytes.toString("latin1", at + 1, head)) + 2;
  }
  return at <= bytes.length ? at : 0;
}

/**
 * Starts a proxy for this test that makes a server slow: it passes on this many requests each 5 ms.
 *
 * @returns its URL
 */
export async function startSlowProxy(
  target: { host: string; port: number },
  requestsPerTick: number,
): Promise<string> {
  const server = createServer((near) => {
    const far = createConnection(target.port, target.host);
    let bytes: Buffer = Buffer.alloc(0);
    const timer = setInterval(() => {
      for (let left = requestsPerTick; left > 0; left -= 1) {
        const length = requestLength(bytes);
        if (length === 0) return;
        far.write(bytes.subarray(0, length));
        bytes = bytes.subarray(length);
      }
    }, TICK_MS);
    near.on("data", (more) => {
      bytes = Buffer.concat([bytes, more]);
    });
    far.pipe(near);
    for (const socket of [near, far]) {
      socket.on("error", () => {}); // a cut connection
      socket.on("close", () => {
        clearInterval(timer);
        near.destroy();
        far.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The proxy has no port");
  return `valkey://127.0.0.1:${address.port}`;
}
