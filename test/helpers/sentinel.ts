import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Valkey } from "iovalkey";
import { expect, onTestFinished } from "vitest";
import { findServer } from "../../src/server/find.js";
import { freePort } from "../../src/server/port.js";
import { freshFolder } from "./folder.js";

/** Watches over a primary with a Sentinel of this test alone; settles with its port when it knows the replica. */
export async function watchedBy(primary: { host: string; port: number }): Promise<number> {
  const { program } = await findServer();
  if (program === undefined) throw new Error("A Sentinel needs a valkey-server program");
  const port = await freePort();
  const config = join(await freshFolder(), "sentinel.conf");
  await writeFile(
    config,
    `port ${port}
sentinel monitor main ${primary.host} ${primary.port} 1
sentinel down-after-milliseconds main 300
sentinel failover-timeout main 2000
`,
  );
  const child = spawn(program.bin, [config, "--sentinel"], { stdio: "ignore" });
  onTestFinished(() => void child.kill("SIGKILL"));
  const client = new Valkey({ port, host: "127.0.0.1", retryStrategy: () => 20 });
  client.on("error", () => {}); // not listening yet
  onTestFinished(() => client.disconnect());
  const replicas = () => client.call("SENTINEL", "REPLICAS", "main").catch(() => []);
  await expect.poll(replicas, { interval: 50 }).toHaveLength(1);
  return port;
}
