import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Valkey } from "iovalkey";
import { expect, onTestFinished } from "vitest";
import { findServer } from "../../src/server/find.js";
import { freePort } from "../../src/server/port.js";
import { freshFolder } from "./folder.js";

/** Settings of {@link watchedBy}. */
export interface SentinelSettings {
  /** Replicas to wait for. A primary that cannot be reached has none. */
  readonly replicas?: number;
  readonly password?: string;
}

/** Watches over a primary with a Sentinel of this test alone; settles with its port when it knows the replicas. */
export async function watchedBy(
  primary: { host: string; port: number },
  { replicas: count = 1, password }: SentinelSettings = {},
): Promise<number> {
  const { program } = await findServer();
  if (program === undefined) throw new Error("A Sentinel needs a valkey-server program");
  const port = await freePort();
  const config = join(await freshFolder(), "sentinel.conf");
  await writeFile(
    config,
    `port ${port}
${password === undefined ? "" : `requirepass "${password}"`}
sentinel monitor main ${primary.host} ${primary.port} 1
sentinel down-after-milliseconds main 300
sentinel failover-timeout main 2000
`,
  );
  const child = spawn(program.bin, [config, "--sentinel"], { stdio: "ignore" });
  onTestFinished(() => void child.kill("SIGKILL"));
  const client = new Valkey({
    port,
    host: "127.0.0.1",
    retryStrategy: () => 20,
    ...(password && { password }),
  });
  client.on("error", () => {}); // not listening yet
  onTestFinished(() => client.disconnect());
  const replicas = () => client.call("SENTINEL", "REPLICAS", "main").catch(() => "");
  await expect.poll(replicas, { interval: 50 }).toEqual(expect.objectContaining({ length: count }));
  return port;
}
