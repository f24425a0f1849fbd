import { describe, expect, it, onTestFinished } from "vitest";
import {
  agent,
  type ConnectOptions,
  ContractError,
  connect,
  type Entities,
  NotDurableError,
} from "../../src/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { startValkey } from "../../src/testing/index.js";
import { client, rejectionOf } from "../helpers/client.js";
import { ownServer } from "../helpers/doctor.js";
import { startProxy } from "../helpers/proxy.js";
import { replicated } from "../helpers/replica.js";
import { hasWaitaof } from "../helpers/server-program.js";
import { freshNamespace } from "../helpers/valkey.js";

const LONG = 25_000;
const WITHOUT_WAITAOF = { args: ["--rename-command", "WAITAOF", ""] };

async function agentsOf(options: ConnectOptions): Promise<Entities<AgentState>> {
  const latchkey = await connect({ namespace: freshNamespace(), timeout: LONG, ...options });
  onTestFinished(() => latchkey.close());
  return latchkey.machine(agent());
}

describe("a change that waits for replicas", () => {
  it("reports how many replicas acknowledged it", async () => {
    const { primary } = await replicated();
    const agents = await agentsOf({ url: primary.url, durability: { replicas: 1, timeoutMs: LONG } });
    const result = await agents.tryCreate("a1");
    expect(result).toMatchObject({
      outcome: "OK",
      durability: { met: true, local: 0, replicas: 1 },
    });
    expect(await agents.transition("a1", "running")).toMatchObject({ version: 2 });
  });

  it("is reported as applied but not durable if too few replicas acknowledge it, and is not undone", async () => {
    const { primary, replica } = await replicated();
    const agents = await agentsOf({ url: primary.url });
    await agents.create("a1");
    replica.pause();
    const durability = { replicas: 1, timeoutMs: 50 };
    const error = await rejectionOf(NotDurableError, agents.transition("a1", "running", { durability }));
    expect(error).toMatchObject({
      code: "NOTDURABLE",
      document: { id: "a1", state: "running", version: 2 },
      acknowledged: { local: 0, replicas: 0 },
    });
    const applied = "agent a1 was changed and is version 2, but is not durable: ";
    expect(error.message).toBe(`${applied}no copy was acknowledged in time`);
    const some = new NotDurableError(error.document, { local: 1, replicas: 2 });
    expect(some.message).toBe(`${applied}only the server's disk and 2 replicas acknowledged it in time`);
    expect(await agents.get("a1")).toMatchObject({ state: "running", version: 2 });
    expect(await agents.tryPatch("a1", { set: { n: 1 }, durability })).toMatchObject({
      outcome: "OK",
      durability: { met: false, replicas: 0 },
    });
    replica.resume();
  });

  it("is reported as applied but not durable, never as not executed, if its time limit ends first", async () => {
    const { primary, replica } = await replicated();
    const agents = await agentsOf({ url: primary.url, durability: { replicas: 1, timeoutMs: LONG } });
    replica.pause();
    const ids = Array.from({ length: 20 }, (_, n) => `a${n}`);
    const errors = await Promise.all(
      ids.map((id) => rejectionOf(NotDurableError, agents.create(id, {}, { timeout: "3s" }))),
    );
    for (const { document } of errors) expect(await agents.get(document.id)).toMatchObject({ version: 1 });
    replica.resume();
  });

  it("waits for nothing if it is rejected", async () => {
    const { primary, replica } = await replicated();
    const agents = await agentsOf({ url: primary.url, durability: { replicas: 1, timeoutMs: LONG } });
    await agents.create("a1");
    replica.pause();
    expect(await agents.tryTransition("a1", "completed")).toMatchObject({ ok: false, outcome: "ILLEGAL" });
    replica.resume();
  });

  it("is applied once, and its acknowledgements are counted, if the connection is lost before the reply", async () => {
    const { primary } = await replicated();
    const proxy = await startProxy(primary);
    const agents = await agentsOf({ url: proxy.url, durability: { replicas: 1, timeoutMs: LONG } });
    await agents.create("a1");
    await agents.patch("a1", { set: { n: 1 } }); // the script is loaded now
    for (const [text, version] of [
      ["evalsha", 3],
      ["WAIT", 4],
    ] as const) {
      proxy.dropReply(text);
      const result = await agents.tryPatch("a1", { set: { n: version } });
      expect(result).toMatchObject({ outcome: "REPLAYED", durability: { met: true, replicas: 1 } });
      expect(await agents.get("a1")).toMatchObject({ version });
    }
  });

  it("is reported as applied, and its acknowledgements are counted, if notAfter passes before the retry", async () => {
    const { primary, admin } = await replicated();
    const agents = await agentsOf({ url: primary.url });
    const serverMs = async () => Number((await admin.time())[0]) * 1000;
    const notAfter = await serverMs();
    await agents.create("a1");
    await agents.patch("a1", { set: { n: 1 }, op: "mine" });
    await expect.poll(serverMs).toBeGreaterThan(notAfter);
    const durability = { replicas: 1, timeoutMs: LONG };
    const repeat = { op: "mine", seen: "0-0", timeout: LONG, notAfter, durability };
    const result = await agents.tryPatch("a1", { set: { n: 1 }, ...repeat });
    expect(result).toMatchObject({
      ok: true,
      document: { version: 2 },
      durability: { met: true, replicas: 1 },
    });
    expect(await agents.get("a1")).toMatchObject({ version: 2 });
  });

  it("is reported as applied, with acknowledgements that cannot be counted, if only the event log has it", async () => {
    const { primary } = await replicated();
    const proxy = await startProxy(primary);
    const agents = await agentsOf({ url: proxy.url, durability: { replicas: 1, timeoutMs: LONG } });
    for (const id of ["a1", "a2"]) await agents.create(id);
    await agents.remove("a2"); // the script is loaded now
    proxy.dropReply("evalsha");
    const problem = "its reply was lost, and acknowledgements can no longer be counted";
    expect(await agents.tryRemove("a1")).toMatchObject({
      outcome: "OK",
      document: { type: "agent.removed", version: 2 },
      durability: { met: false, local: 0, replicas: 0, problem },
    });
    await agents.create("a1");
    proxy.dropReply("evalsha");
    const error = await rejectionOf(NotDurableError, agents.remove("a1"));
    expect(error.message).toBe(`agent a1 was changed and is version 2, but is not durable: ${problem}`);
  });
});

it("a change whose server is demoted while it waits is applied once, and the new primary counts its acknowledgements", async () => {
  const { primary, replica, admin } = await replicated();
  const agents = await agentsOf({ url: primary.url, durability: { replicas: 1, timeoutMs: LONG } });
  await agents.create("a1");
  replica.pause();
  const change = agents.tryPatch("a1", { set: { n: 1 } });
  await expect.poll(() => admin.client("LIST")).toMatch(/flags=b .*cmd=wait/);
  await admin.replicaof("127.0.0.1", 1);
  // The next attempt of the same change is rejected.
  await expect.poll(() => admin.info("errorstats")).toContain("errorstat_READONLY");
  await admin.replicaof("NO", "ONE");
  replica.resume();
  expect(await change).toMatchObject({ outcome: "REPLAYED", durability: { met: true, replicas: 1 } });
  expect(await agents.get("a1")).toMatchObject({ version: 2 });
});

describe("a change that waits for the disk", () => {
  it.runIf(hasWaitaof)("is durable if the server writes every change to disk", async () => {
    const server = await startValkey({ appendOnly: true, args: ["--appendfsync", "always"] });
    onTestFinished(() => server.stop());
    const agents = await agentsOf({ url: server.url, durability: "fsync" });
    expect(await agents.tryCreate("a1")).toMatchObject({ durability: { met: true, local: 1 } });
  });

  it.runIf(hasWaitaof).each([
    [{ appendOnly: false }, "appendonly yes"],
    [{ appendOnly: true, args: ["--appendfsync", "everysec"] }, "appendfsync always"],
  ])(
    "is reported as not durable, with the setting to change, if the server runs with %j",
    async (settings, setting) => {
      const server = await startValkey(settings);
      onTestFinished(() => server.stop());
      const agents = await agentsOf({ url: server.url });
      const error = await rejectionOf(NotDurableError, agents.create("a1", {}, { durability: "fsync" }));
      expect(error.message).toContain(setting);
      expect(await agents.get("a1")).toMatchObject({ version: 1 });
    },
  );

  it.each([["fsync"], [{ replicas: 1, fsync: true }]] as const)(
    "is rejected before it is sent if the server has no WAITAOF: %j",
    async (durability) => {
      const { server } = await ownServer(hasWaitaof ? WITHOUT_WAITAOF : {});
      const agents = await agentsOf({ url: server.url });
      await agents.create("a1");
      const error = await rejectionOf(ContractError, agents.transition("a1", "running", { durability }));
      expect(error.code).toBe("BADARG");
      expect(error.message).toContain("requires WAITAOF, which this server does not have: use Valkey 7.2");
      expect(await agents.get("a1")).toMatchObject({ state: "spawning", version: 1 });
    },
  );
});

it.each([
  ["disk", 'durability must be "memory", "fsync" or an object'],
  [{ replica: 1 }, 'unknown option "replica" in durability; did you mean "replicas"?'],
])("durability %j is rejected, with the accepted values", async (durability, text) => {
  const agents = await (await client()).machine(agent());
  const options = { durability } as unknown as { durability: "fsync" };
  expect((await rejectionOf(ContractError, agents.create("a1", {}, options))).message).toContain(text);
  expect((await rejectionOf(ContractError, client(options))).message).toContain(text);
});

it.each([0, "5 minutes"])("timeout %j is rejected, with the accepted values", async (timeout) => {
  const agents = await (await client()).machine(agent());
  const options = { timeout } as unknown as { timeout: number };
  expect((await rejectionOf(ContractError, agents.create("a1", {}, options))).message).toContain("timeout");
  expect((await rejectionOf(ContractError, client(options))).message).toContain("timeout");
});
