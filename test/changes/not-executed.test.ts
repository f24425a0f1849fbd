import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Valkey } from "iovalkey";
import { expect, it, onTestFinished } from "vitest";
import { agent, connect, NotExecutedError, OutcomeUnknownError } from "../../src/index.js";
import { startValkey } from "../../src/testing/index.js";
import { admin, connection } from "../helpers/calls.js";
import { all, client, rejection, rejectionOf } from "../helpers/client.js";
import { freshFolder } from "../helpers/folder.js";
import { keyspace } from "../helpers/keyspace.js";
import { startProxy } from "../helpers/proxy.js";
import { freshNamespace } from "../helpers/valkey.js";

interface Trouble {
  readonly reply: string;
  readonly args?: readonly string[];
  /** Makes the server reject changes. */
  readonly cause: (valkey: Valkey, dataDir: string) => Promise<unknown>;
  readonly cure: (valkey: Valkey, dataDir: string) => Promise<unknown>;
}

const troubles: Record<string, Trouble> = {
  "is a replica": {
    reply: "READONLY",
    cause: (valkey) => valkey.replicaof("127.0.0.1", 1),
    cure: (valkey) => valkey.replicaof("NO", "ONE"),
  },
  "is out of memory": {
    reply: "OOM",
    cause: (valkey) => valkey.config("SET", "maxmemory", "1"),
    cure: (valkey) => valkey.config("SET", "maxmemory", "0"),
  },
  "has too few replicas": {
    reply: "NOREPLICAS",
    cause: (valkey) => valkey.config("SET", "min-replicas-to-write", "1"),
    cure: (valkey) => valkey.config("SET", "min-replicas-to-write", "0"),
  },
  "cannot save its data": {
    reply: "MISCONF",
    cause: async (valkey, dataDir) => {
      await valkey.config("SET", "save", "3600 1");
      await rm(dataDir, { recursive: true });
      await valkey.bgsave();
      await expect.poll(() => valkey.info("persistence")).toContain("rdb_last_bgsave_status:err");
    },
    cure: (valkey) => valkey.config("SET", "save", ""),
  },
  "runs a slow script": {
    reply: "BUSY",
    cause: async (valkey) => {
      await valkey.config("SET", "busy-reply-threshold", "1");
      const other = valkey.duplicate();
      other.eval("while true do end", 0).catch(() => other.disconnect()); // ended by SCRIPT KILL
      await expect.poll(() => valkey.ping().catch((error: Error) => error.message)).toContain("BUSY");
    },
    cure: async (valkey) => {
      await valkey.script("KILL");
      await expect.poll(() => valkey.ping().catch(() => "BUSY")).toBe("PONG");
    },
  },
  "rejects the user": {
    reply: "NOPERM",
    cause: (valkey) => valkey.acl("SETUSER", "default", "-evalsha"),
    cure: (valkey) => valkey.acl("SETUSER", "default", "+evalsha"),
  },
  "denies the user the channel": {
    reply: "NOPERM",
    cause: (valkey) => valkey.acl("SETUSER", "default", "resetchannels"),
    cure: (valkey) => valkey.acl("SETUSER", "default", "allchannels"),
  },
};

for (const [name, { reply, args = [], cause, cure }] of Object.entries(troubles)) {
  it(`a change is not executed while the server ${name}, and is executed afterwards`, async () => {
    const dataDir = join(await freshFolder(), "data");
    await mkdir(dataDir);
    const server = await startValkey({ dataDir, args });
    onTestFinished(() => server.stop());
    const valkey = new Valkey({ host: server.host, port: server.port });
    onTestFinished(() => valkey.disconnect());
    const namespace = freshNamespace();
    const latchkey = await connect({ url: server.url, namespace });
    onTestFinished(() => latchkey.close());
    const agents = await latchkey.machine(agent());
    await agents.create("a1");
    const before = await keyspace(valkey, namespace);

    await cause(valkey, dataDir);
    const error = await rejectionOf(
      NotExecutedError,
      agents.transition("a1", "running", { actor: "me", timeout: "1s" }),
    );
    expect(error).toMatchObject({ code: "NOTEXECUTED", reply });
    expect(error.message).toMatch(/^transition agent a1 was not executed: /);
    expect(error.message).not.toContain("script:");
    await cure(valkey, dataDir);

    expect(await keyspace(valkey, namespace)).toEqual(before);
    await expect
      .poll(() => agents.transition("a1", "running").catch(() => null))
      .toMatchObject({ version: 2 });
  });
}

it.each([
  ["at once", false],
  ["slowly", true],
])(
  "a change names the replica as the reason if its connection closes %s and there is no other server",
  async (_, isSlowToClose) => {
    const server = await startValkey();
    onTestFinished(() => server.stop());
    const valkey = new Valkey({ host: server.host, port: server.port });
    onTestFinished(() => valkey.disconnect());
    const proxy = await startProxy(server, { isSlowToClose });
    const latchkey = await connect({ url: proxy.url, namespace: freshNamespace() });
    onTestFinished(() => latchkey.close());
    const agents = await latchkey.machine(agent());
    await valkey.replicaof("127.0.0.1", 1);
    proxy.shut(true);
    const error = await rejectionOf(NotExecutedError, agents.create("a1", {}, { timeout: "1s" }));
    expect(error).toMatchObject({ code: "NOTEXECUTED", reply: "READONLY" });
    expect(error.message).toContain("the server is a replica");
  },
);

it("an unreachable server is distinguished from a lost reply, and calls fail without waiting", async () => {
  const server = await startValkey();
  const latchkey = await connect({ url: server.url, namespace: freshNamespace(), timeout: "1s" });
  onTestFinished(() => latchkey.close());
  const agents = await latchkey.machine(agent());
  await agents.create("a1");
  await server.stop();
  await expect.poll(() => rejection(agents.transition("a1", "running"))).toBeInstanceOf(NotExecutedError);
  const away = `not connected to ${server.url}: connection refused`;
  const change = async () =>
    (await rejectionOf(NotExecutedError, agents.transition("a1", "running"))).message;
  await expect.poll(change, { timeout: 60_000 }).toBe(`transition agent a1 was not executed: ${away}`);
  expect((await rejectionOf(NotExecutedError, agents.get("a1"))).message).toBe(
    `get agent a1 was not answered: ${away}`,
  );
});

it("changes and reads use a server again when it returns at the same address", async () => {
  const first = await startValkey();
  const options = { url: first.url, namespace: freshNamespace(), reinstall: false };
  const latchkey = await connect(options);
  onTestFinished(() => latchkey.close());
  const agents = await latchkey.machine(agent());
  await first.stop();
  const second = await startValkey({ port: first.port });
  onTestFinished(() => second.stop());
  await expect.poll(async () => (await rejection(agents.get("a1"))).message).toMatch(/is not installed/);
  expect((await rejection(agents.create("a1"))).message).toBe(
    "create agent a1: the machine is not installed in this namespace; apply it first",
  );
  await latchkey.apply(agent());
  expect(await agents.create("a1")).toMatchObject({ version: 1 });
});

it("keys that another program wrote are reported and not changed", async () => {
  const latchkey = await client();
  const agents = await latchkey.machine(agent());
  await (await admin()).set(`{${latchkey.namespace}:0}:agent:id:a1`, "mine");
  const before = await keyspace(await admin(), latchkey.namespace);
  for (const call of [() => agents.create("a1"), () => agents.get("a1")]) {
    const error = await rejectionOf(NotExecutedError, call());
    expect(error.reply).toBe("WRONGTYPE");
    expect(error.message).toContain("wrong key type: not written by latchkey");
  }
  expect(await keyspace(await admin(), latchkey.namespace)).toEqual(before);
});

it("a change is applied exactly if it is reported so, also if connections are killed", async () => {
  const latchkey = await client();
  const agents = await latchkey.machine(agent());
  const killer = await connection();
  const ids = Array.from({ length: 10 }, (_, n) => `a${n}`);
  const versions = new Map(ids.map((id) => [id, 1]));
  for (const id of ids) await agents.create(id);
  for (let round = 0; round < 20; round++) {
    const calls = ids.map((id) => agents.patch(id, { set: { round } }));
    const killed = killer.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    const [settled] = await Promise.all([Promise.allSettled(calls), killed]);
    await expect.poll(() => agents.get("probe").catch(() => "down"), { interval: 5 }).toBeNull();
    for (const [at, result] of settled.entries()) {
      const id = String(ids[at]);
      if (result.status === "rejected" && result.reason instanceof NotExecutedError) continue;
      versions.set(id, (versions.get(id) ?? 0) + 1);
      if (result.status === "fulfilled") continue;
      const { op } = await rejectionOf(OutcomeUnknownError, Promise.reject(result.reason));
      await agents.patch(id, { set: { round }, op }); // done now, if it was not
    }
  }
  for (const [id, version] of versions) expect(await agents.get(id)).toMatchObject({ id, version });
  expect(await all(agents.events({ after: "start", follow: false }))).toHaveLength(
    [...versions.values()].reduce((sum, version) => sum + version, 0),
  );
});
