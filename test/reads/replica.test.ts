import type { Valkey } from "iovalkey";
import { describe, expect, it } from "vitest";
import { agent, ContractError, type Entities, LayoutError } from "../../src/index.js";
import { checkReplica } from "../../src/valkey/replica-places.js";
import { pastServerTime, serverMs } from "../helpers/behind-proxy.js";
import { all, client, rejectionOf } from "../helpers/client.js";
import { ownServer } from "../helpers/doctor.js";
import { type Replicated, replicated } from "../helpers/replica.js";
import { recordingLogger } from "../helpers/secrets.js";

const REPLICA = { reads: "replica" } as const;

/** Each read of entities that a replica can answer. */
const READS: Record<string, (agents: Entities, options: typeof REPLICA | undefined) => Promise<unknown>> = {
  get: (agents, options) => agents.get("a1", options),
  list: (agents, options) => all(agents.list({ dueWithin: "10d", ...options })),
  listPage: (agents, options) => agents.listPage({ limit: 5, ...options }),
  count: (agents, options) => agents.count(options),
  history: (agents, options) => agents.history("a1", options),
};

/** Agents on a primary with one replica, which has all of them. */
async function scene(servers: Replicated) {
  const { logger, lines } = recordingLogger();
  const latchkey = await client({ url: servers.primary.url, namespace: "t", timeout: "20s", logger });
  const agents = await latchkey.machine(agent());
  await agents.create("a1");
  await agents.transition("a1", "running", { durability: { replicas: 1 } });
  const logged = (text: string) => lines.filter((line) => line.includes(text));
  return { latchkey, agents, logged };
}

/** Number of connections of reads at a server. */
async function readers(valkey: Valkey): Promise<number> {
  return String(await valkey.client("LIST")).split("name=latchkey-replica ").length - 1;
}

/** Returns the commands that a server executed for clients since the statistics were reset. */
async function executed(valkey: Valkey): Promise<string[]> {
  const own = ["config|resetstat", "info", "ping", "replconf"];
  const names = [...(await valkey.info("commandstats")).matchAll(/^cmdstat_([^:]+)/gm)].map(
    ([, name]) => name,
  );
  return names.filter((name): name is string => name !== undefined && !own.includes(name));
}

describe('reads: "replica"', () => {
  it("asks a replica, and the primary nothing", async () => {
    const servers = await replicated();
    const { agents } = await scene(servers);
    const expected = await Promise.all(Object.values(READS).map((read) => read(agents, undefined)));
    expect(await readers(servers.replica.admin)).toBe(0);
    await agents.get("a1", REPLICA);
    await servers.admin.config("RESETSTAT");
    expect(await Promise.all(Object.values(READS).map((read) => read(agents, REPLICA)))).toEqual(expected);
    expect(await executed(servers.admin)).toEqual([]);
    expect(await readers(servers.replica.admin)).toBe(1);
  });

  it("returns what the replica has, which can be outdated; changes are judged by the primary", async () => {
    const servers = await replicated({ replica: ["--replica-read-only", "no"] });
    const { agents } = await scene(servers);
    // As if the replica had not received the change to running.
    await servers.replica.admin.hset("{t:0}:agent:id:a1", "state", "spawning", "version", "1");
    expect(await agents.get("a1", REPLICA)).toMatchObject({ state: "spawning", version: 1 });
    expect(await agents.get("a1")).toMatchObject({ state: "running", version: 2 });
    expect(await agents.tryTransition("a1", "failed", { ifVersion: 1, set: { error: "x" } })).toMatchObject({
      outcome: "CONFLICT",
      current: { version: 2 },
    });
  });

  it("asks the primary if the replica lacks the machine, which is not a loss of data", async () => {
    const servers = await replicated({ replica: ["--replica-read-only", "no"] });
    const { agents, logged } = await scene(servers);
    await servers.replica.admin.del("{t:0}:agent:machine", "{t:0}:agent:id:a1");
    expect(await agents.get("a1", REPLICA)).toMatchObject({ state: "running" });
    expect(await agents.count(REPLICA)).toEqual(await agents.count());
    expect(logged("lost data")).toEqual([]);
  });

  it("asks the primary if there is no replica, and warns once", async () => {
    const { server } = await ownServer();
    const { logger, lines } = recordingLogger();
    const latchkey = await client({ url: server.url, namespace: "t", logger });
    const agents = await latchkey.machine(agent());
    await agents.create("a1");
    for (let read = 0; read < 3; read += 1)
      expect(await agents.get("a1", REPLICA)).toMatchObject({ state: "spawning" });
    const warned = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 40);
    expect(warned).toMatchObject([
      {
        error: "the server has no replica that is online",
        msg: "no replica can be read; the primary answers",
      },
    ]);
  });

  it("asks the primary while the replica is frozen, within the time of the call", async () => {
    const servers = await replicated();
    const { agents } = await scene(servers);
    await agents.get("a1", REPLICA);
    servers.replica.pause();
    expect(await agents.get("a1", { ...REPLICA, timeout: "10s" })).toMatchObject({ state: "running" });
    servers.replica.resume();
  });

  it("asks the primary after the replica has ended, and another replica when there is one", async () => {
    const servers = await replicated();
    const { agents } = await scene(servers);
    await agents.get("a1", REPLICA);
    await servers.replica.end();
    expect(await agents.get("a1", REPLICA)).toMatchObject({ state: "running" });
    const { host, port } = servers.primary;
    const second = await ownServer({ args: ["--replicaof", host, String(port)] });
    const connections = async (): Promise<number> => {
      expect(await agents.get("a1", REPLICA)).toMatchObject({ state: "running" });
      return readers(second.admin);
    };
    await expect.poll(connections).toBe(1);
  });

  it("leaves a replica that has become a primary", async () => {
    const servers = await replicated();
    const { agents, logged } = await scene(servers);
    await agents.get("a1", REPLICA);
    await servers.replica.admin.replicaof("NO", "ONE");
    const connections = async (): Promise<number> => {
      await agents.get("a1", REPLICA);
      return readers(servers.replica.admin);
    };
    await expect.poll(connections).toBe(0);
    expect(logged("it is not a replica")).toHaveLength(1);
  });

  it("is checked before the first read after a pause", async () => {
    const servers = await replicated();
    const { agents } = await scene(servers);
    await agents.get("a1", REPLICA);
    await servers.replica.admin.replicaof("NO", "ONE");
    await agents.patch("a1", { set: { after: true } });
    await pastServerTime((await serverMs()) + 1_500);
    expect(await agents.get("a1", REPLICA)).toMatchObject({ after: true });
  });

  it("does not read from a replica that has never been linked to its primary", async () => {
    const { admin } = await ownServer({ args: ["--replicaof", "127.0.0.1", "1"] });
    await expect(checkReplica(admin)).rejects.toThrow("it has not heard from its primary for ever");
  });

  it("is rejected like other reads after the namespace was created anew", async () => {
    const servers = await replicated();
    const { latchkey, agents } = await scene(servers);
    await agents.get("a1", REPLICA);
    await servers.admin.hset("{t}:meta", "partitions", "2");
    await rejectionOf(LayoutError, latchkey.ping());
    await rejectionOf(LayoutError, agents.get("a1", REPLICA));
  });

  it("ends with the client", async () => {
    const servers = await replicated();
    const { latchkey, agents } = await scene(servers);
    await agents.get("a1", REPLICA);
    await latchkey.close();
    await rejectionOf(Error, agents.get("a1", REPLICA));
    await expect.poll(() => readers(servers.replica.admin)).toBe(0);
  });

  it("works for a user who may only read, if the replica knows the user", async () => {
    const servers = await replicated();
    await scene(servers);
    const rules = [
      "on",
      ">secret",
      "%R~{t*",
      "+@read",
      "+evalsha_ro",
      "+script|load",
      "+info",
      "+client|setname",
    ];
    await servers.admin.call("ACL", "SETUSER", "reader", ...rules);
    const { primary, replica } = servers;
    const url = `valkey://reader:secret@127.0.0.1:${primary.port}`;
    const agents = await (await client({ url, namespace: "t" })).machine(agent());
    expect(await agents.get("a1", REPLICA)).toMatchObject({ state: "running" });
    expect(await readers(replica.admin)).toBe(0);
    await replica.admin.call("ACL", "SETUSER", "reader", ...rules);
    const connections = async (): Promise<number> => {
      expect(await agents.get("a1", REPLICA)).toMatchObject({ state: "running" });
      return readers(replica.admin);
    };
    await expect.poll(connections).toBe(1);
  });

  it("takes only the words primary and replica, and only in reads of entities", async () => {
    const agents = await (await client()).machine(agent());
    const wrong = { reads: "secondary" } as unknown as typeof REPLICA;
    for (const read of Object.values(READS)) {
      const error = await rejectionOf(ContractError, read(agents, wrong));
      expect(error.message).toBe('reads must be "primary" or "replica", not "secondary"');
    }
    const error = await rejectionOf(ContractError, agents.position("a1", REPLICA as object));
    expect(error.message).toContain('unknown option "reads"');
  });
});
