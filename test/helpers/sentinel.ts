import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Valkey } from "iovalkey";
import { expect, onTestFinished } from "vitest";
import { findServer } from "../../src/server/find.js";
import { freePort } from "../../src/server/port.js";
import type { Authority, Issued } from "./certificates.js";
import { freshFolder } from "./folder.js";

/** Settings of {@link watchedBy}. */
export interface SentinelSettings {
  /** Replicas to wait for. A primary that cannot be reached has none. */
  readonly replicas?: number;
  readonly password?: string;
  /** Makes the Sentinel use TLS for its clients and for the servers. */
  readonly tls?: { readonly own: Authority; readonly issued: Issued };
}

/** Watches over a primary with a Sentinel of this test alone; settles with its port when it knows the replicas. */
export async function watchedBy(
  primary: { host: string; port: number },
  { replicas: count = 1, password, tls }: SentinelSettings = {},
): Promise<number> {
  const { program } = await findServer();
  if (program === undefined) throw new Error("A Sentinel needs a valkey-server program");
  const port = await freePort();
  const config = join(await freshFolder(), "sentinel.conf");
  await writeFile(
    config,
    `${tls === undefined ? `port ${port}` : tlsLines(port, tls)}
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
    ...(tls && { tls: { ca: tls.own.ca } }),
  });
  client.on("error", () => {}); // not listening yet
  onTestFinished(() => client.disconnect());
  const replicas = () => client.call("SENTINEL", "REPLICAS", "main").catch(() => "");
  await expect.poll(replicas, { interval: 50 }).toEqual(expect.objectContaining({ length: count }));
  return port;
}

/** Configuration of a Sentinel that has no port without TLS. */
function tlsLines(port: number, { own, issued }: NonNullable<SentinelSettings["tls"]>): string {
  const words = [
    "--port",
    "0",
    "--tls-port",
    String(port),
    "--tls-replication",
    "yes",
    ...own.serverArgs(issued),
  ];
  return words.join(" ").replaceAll(" --", "\n").slice(2);
}
