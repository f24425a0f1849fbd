// A proxy that makes a server slow: `node slow-proxy.mjs PORT RATE`, as a child process with a channel. It passes on RATE
// requests a second and prints nothing. Its first message to the parent is its own port.

import { createConnection, createServer } from "node:net";

const TICK_MS = 5;
const [port, rate] = process.argv.slice(2).map(Number);

/** Returns the length of the first complete request in some bytes; 0 if it is not complete. */
function requestLength(bytes) {
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

const server = createServer((near) => {
  const far = createConnection(port, "127.0.0.1");
  let bytes = Buffer.alloc(0);
  let passedAt = performance.now();
  let allowed = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    // A tick that comes late passes on more. Unused time is lost, as on a server.
    allowed += ((now - passedAt) * rate) / 1000;
    passedAt = now;
    for (; allowed >= 1; allowed -= 1) {
      const length = requestLength(bytes);
      if (length === 0) {
        allowed = 0;
        return;
      }
      far.write(bytes.subarray(0, length));
      bytes = bytes.subarray(length);
    }
  }, TICK_MS);
  near.on("data", (more) => {
    bytes = Buffer.concat([bytes, more]);
  });
  far.pipe(near);
  for (const socket of [near, far]) {
    socket.setNoDelay(true);
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => {
      clearInterval(timer);
      near.destroy();
      far.destroy();
    });
  }
});
server.listen(0, "127.0.0.1", () => process.send(server.address().port));
process.on("disconnect", () => process.exit());
