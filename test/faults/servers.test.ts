import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, onTestFinished, type TestContext, test } from "vitest";
import { Unavailable } from "../../faults/fault.js";
import { openProxy } from "../../faults/proxy/open.js";
import { connection, DataNode } from "../../faults/servers/node.js";
import { freePort } from "../../faults/servers/ports.js";
import { hasServerProgram } from "../../faults/servers/program.js";
import { SentinelServers } from "../../faults/servers/sentinel.js";
import type { Settings } from "../../faults/servers/servers.js";
import { SmallDisk } from "../../faults/servers/small-disk.js";

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "latchkey-faults-"));
  folders.push(folder);
  return folder;
}

async function node(settings: Settings = {}, dataDir?: string): Promise<DataNode> {
  const started = await DataNode.start({
    name: "n",
    port: await freePort(),
    folder: await freshFolder(),
    settings,
    ...(dataDir !== undefined && { dataDir }),
  });
  onTestFinished(() => started.close());
  return started;
}

const ALWAYS = { appendonly: "yes", appendfsync: "always" };

describe.skipIf(!hasServerProgram())("a server of the fault runner", () => {
  test("keeps its data when it is killed and restarted on the same port", async () => {
    const server = await node(ALWAYS);
    await server.admin.set("key", "value");
    await server.kill9();
    expect(server.isRunning).toBe(false);
    await server.restart();
    expect(await server.admin.get("key")).toBe("value");
  });

  test("applies settings at a restart, and keeps them at the next one", async () => {
    const server = await node(ALWAYS);
    await server.restart({ appendfsync: "everysec" });
    await server.restart();
    expect(await server.admin.config("GET", "appendfsync")).toEqual(["appendfsync", "everysec"]);
    expect(await server.admin.config("GET", "appendonly")).toEqual(["appendonly", "yes"]);
  });

  test("does nothing while it is frozen, and everything afterwards", async () => {
    const server = await node();
    server.stop();
    let isAnswered = false;
    const answer = server.admin.set("key", "value").then(() => {
      isAnswered = true;
    });
    // A second server answers meanwhile.
    const other = await node();
    await other.admin.ping();
    expect(isAnswered).toBe(false);
    server.cont();
    await answer;
    expect(await server.admin.get("key")).toBe("value");
  });

  test("sees its clock change forward and back while it runs", async (context) => {
    const server = await node();
    const apart = async () => {
      const [seconds = 0, micros = 0] = (await server.admin.time()).map(Number);
      return seconds * 1000 + micros / 1000 - Date.now();
    };
    try {
      await server.setClock(10_000);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      return context.skip(error.message);
    }
    expect(await apart()).toBeGreaterThan(9000);
    await server.setClock(-10_500);
    expect(await apart()).toBeLessThan(-9500);
    await server.setClock(0);
    expect(Math.abs(await apart())).toBeLessThan(5000);
  });
});

describe.skipIf(!hasServerProgram())("a small disk", () => {
  async function mounted(context: TestContext): Promise<SmallDisk> {
    try {
      const disk = await SmallDisk.mount(join(await freshFolder(), "disk"), 16);
      onTestFinished(() => disk.close());
      return disk;
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      return context.skip(error.message);
    }
  }

  test("makes a server exit that flushes always, without a loss, when it is full", async (context) => {
    const disk = await mounted(context);
    const server = await node(ALWAYS, disk.dataDir);
    await disk.fill(0);
    const { acknowledged } = await write(server);
    await server.ended;
    await disk.free();
    await server.restart();
    expect(await server.admin.dbsize()).toBeGreaterThanOrEqual(acknowledged);
  });

  test("makes a server reject changes that flushes every second, until it is freed", async (context) => {
    const disk = await mounted(context);
    const server = await node({ ...ALWAYS, appendfsync: "everysec" }, disk.dataDir);
    await disk.fill(0);
    const { answer } = await write(server);
    expect(answer).toContain("MISCONF");
    await disk.free();
    await expect.poll(() => server.admin.set("again", "1").catch(String)).toBe("OK");
  });

  /** Writes until that fails, and returns how much was acknowledged. */
  async function write({ admin }: DataNode): Promise<{ acknowledged: number; answer: string }> {
    for (let at = 0; ; at += 1) {
      const answer = await admin.set(`key-${at}`, "x".repeat(1000)).catch(String);
      if (answer !== "OK") return { acknowledged: at, answer };
    }
  }
});

describe.skipIf(!hasServerProgram())("servers with Sentinels", () => {
  test("promote a replica when the primary is killed, and make it a replica later", async () => {
    const servers = await SentinelServers.start({ folder: await freshFolder(), settings: ALWAYS, openProxy });
    onTestFinished(() => servers.close());
    const primary = await servers.primary();
    await primary.admin.set("key", "value");
    await primary.admin.wait(2, 0);
    await primary.kill9();
    const successor = await servers.successorOf(primary);
    expect(successor.name).not.toBe(primary.name);
    expect(await successor.admin.get("key")).toBe("value");
    await primary.restart();
    expect(await servers.awaitHealth()).toBe(successor);
    const [role, , port] = (await primary.admin.role()) as unknown[];
    expect([role, port]).toEqual(["slave", servers.proxyOf(successor).port]);
  });

  test("let the primary serve clients while it is partitioned from replicas and Sentinels", async () => {
    const servers = await SentinelServers.start({ folder: await freshFolder(), settings: ALWAYS, openProxy });
    onTestFinished(() => servers.close());
    const primary = await servers.primary();
    const client = connection(servers.proxyOf(primary).port);
    onTestFinished(() => client.disconnect());
    await client.ping();
    servers
      .proxyOf(primary)
      .treat({ partition: true }, 1, (name) => name === "" || name.startsWith("sentinel-"));
    const successor = await servers.successorOf(primary);
    expect(await client.set("key", "lost")).toBe("OK");
    servers.proxyOf(primary).heal();
    expect(await servers.awaitHealth()).toBe(successor);
    expect(await successor.admin.get("key")).toBe(null);
  });
});
