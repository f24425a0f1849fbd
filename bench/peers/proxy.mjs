// Builds and starts the delaying proxy, proxy.c, in a process of its own.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("proxy.c", import.meta.url));
/** Limits beyond which a run measures the proxy instead of the side: its share of a core, and the mean delay. */
const MOST = { share: 0.85, delays: 1.5 };

/**
 * Starts the proxy in front of servers on 127.0.0.1, with one route for each of their ports.
 *
 * @throws Error if there is no C compiler
 */
export async function startProxy(delayMs, targets) {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-proxy-"));
  const program = join(folder, "proxy");
  try {
    execFileSync("cc", ["-O2", "-o", program, SOURCE], { stdio: ["ignore", "ignore", "inherit"] });
  } catch (error) {
    rmSync(folder, { recursive: true });
    if (error.code === "ENOENT")
      throw new Error("the delaying proxy needs a C compiler: apt-get install gcc libc6-dev");
    throw error;
  }
  const child = spawn(program, [delayMs * 1_000, ...targets].map(String), {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => (await lines.next()).value;
  const ports = [];
  for (const _ of targets) ports.push(Number(await next()));
  let last = Promise.resolve();
  const ask = (line) => {
    last = last.then(() => {
      child.stdin.write(`${line}\n`);
      return next();
    });
    return last;
  };
  return {
    ports,
    /** Closes the connections of a route. First it discards replies, else requests. Returns the number of connections. */
    cut: async (route, losesReplies) => Number(await ask(`cut ${route} ${losesReplies ? 1 : 0}`)),
    /** Starts to observe the proxy; the returned function ends it and returns the use of one route. */
    async observe(route) {
      const before = JSON.parse(await ask("stats"));
      const began = performance.now();
      return async () =>
        use(before, JSON.parse(await ask("stats")), performance.now() - began, route, delayMs);
    },
    async stop() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, "exit");
      rmSync(folder, { recursive: true });
    },
  };
}

function use(before, after, ms, route, delayMs) {
  const share = (after.cpu - before.cpu) / 1_000 / ms;
  const delay = (after.waited - before.waited) / 1_000 / Math.max(1, after.pieces - before.pieces);
  const isSaturated = share > MOST.share || delay > MOST.delays * delayMs || after.blocked > before.blocked;
  return { bytes: after.bytes[route] - before.bytes[route], share, delay, isSaturated };
}
