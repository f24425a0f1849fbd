import { readFile } from "node:fs/promises";
import { Valkey } from "iovalkey";
import { expect, it, onTestFinished } from "vitest";
import { agent, connect, type Latchkey } from "../../src/index.js";
import { replicated } from "../helpers/replica.js";
import { watchedBy } from "../helpers/sentinel.js";

const CONNECTED = "01";
const KEEP_ALIVE = "02";
/** Ticks per second in /proc/net/tcp. */
const HZ = 100;

/** Counts the connections of this process to a port that the kernel probes within ten seconds. */
async function probed(port: number): Promise<number> {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const rows = (await readFile("/proc/net/tcp", "utf8")).split("\n").map((row) => row.trim().split(/\s+/));
  return rows.filter(([, , remote, state, , timer = ""]) => {
    const [kind, ticks = ""] = timer.split(":");
    const isSoon = kind === KEEP_ALIVE && Number.parseInt(ticks, 16) <= 10 * HZ;
    return remote?.endsWith(`:${hex}`) && state === CONNECTED && isSoon;
  }).length;
}

/** Opens every kind of connection that a client has besides its first one. */
async function openAll(latchkey: Latchkey): Promise<void> {
  const agents = await latchkey.machine(agent());
  await agents.subscribe(() => {});
  await agents.create("a1", {}, { durability: { replicas: 1, timeoutMs: 5_000 } });
  const log = agents.events({ after: "start" })[Symbol.asyncIterator]();
  await log.next();
  onTestFinished(async () => void (await log.return?.()));
}

/** Counts the connections that have a name of latchkey. */
async function opened(admin: Valkey): Promise<number> {
  const list = String(await admin.client("LIST")).split("\n");
  return list.filter((line) => line.includes(" name=latchkey")).length;
}

it.runIf(process.platform === "linux")(
  "the kernel probes each silent connection to the server and to Sentinels within ten seconds",
  async () => {
    const { primary, admin } = await replicated();
    const sentinel = await watchedBy(primary);
    const url = `valkey+sentinel://127.0.0.1:${sentinel}/main`;
    await using latchkey = await connect({ url, namespace: "t" });
    await openAll(latchkey);
    const count = await opened(admin);
    expect(count).toBeGreaterThan(2);
    await expect.poll(() => probed(primary.port)).toBe(count);
    await expect.poll(() => probed(sentinel)).toBe(1);
  },
);

it.runIf(process.platform === "linux")(
  "the further connections of an own client are probed too",
  async () => {
    const { primary, admin } = await replicated();
    const given = new Valkey({ host: primary.host, port: primary.port });
    onTestFinished(() => given.disconnect());
    await using latchkey = await connect({ client: given, namespace: "t" });
    await openAll(latchkey);
    const count = await opened(admin);
    expect(count).toBeGreaterThan(1);
    await expect.poll(() => probed(primary.port)).toBe(count);
  },
);
