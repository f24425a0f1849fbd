import { expect, it } from "vitest";
import { allRules } from "../../src/doctor/permissions/acl.js";
import {
  ApplyInterruptedError,
  type DataLoss,
  type Latchkey,
  type MachineDefinition,
  MachineInUseError,
  NotExecutedError,
  partitionOf,
} from "../../src/index.js";
import { scripts } from "../../src/lua/index.js";
import { admin } from "../helpers/calls.js";
import { client, rejectionOf } from "../helpers/client.js";
import { keyspace } from "../helpers/keyspace.js";
import { startProxy, type TcpProxy } from "../helpers/proxy.js";
import { replicated } from "../helpers/replica.js";
import { recordingLogger } from "../helpers/secrets.js";
import { useValkey } from "../helpers/valkey.js";

/** A machine with two states. Version 2 has another second one. */
const job = (version = 1): MachineDefinition => {
  const other = version === 1 ? "paused" : "resting";
  return {
    ...{ name: "job", version, initial: "active" },
    states: { active: { to: [other] }, [other]: { to: ["active"] } },
  };
};

/** An id in partition 2 of four. */
const ID =
  ["j0", "j1", "j2", "j3", "j4", "j5", "j6", "j7", "j8"].find((id) => partitionOf(id, 4) === 2) ?? "";

interface Scene {
  readonly home: Latchkey;
  /** Reaches the same namespace through the proxy. */
  readonly far: Latchkey;
  readonly proxy: TcpProxy;
  readonly versions: () => Promise<(string | null)[]>;
  /** Text of the request that installs the machine in a partition, and is not a dry run. */
  readonly request: (partition: number) => string;
}

/** @param isInstalled false if no machine is installed so far */
async function fourPartitions(isInstalled = true): Promise<Scene> {
  const valkey = await admin();
  const home = await client();
  await home.init(4);
  if (isInstalled) await home.machine(job());
  await valkey.script("LOAD", scripts.apply.text);
  const proxy = await startProxy(await useValkey());
  const far = await client({ url: proxy.url, namespace: home.namespace, timeout: "2s" });
  const key = (partition: number) => `{${home.namespace}:${partition}}:job:machine`;
  return {
    ...{ home, far, proxy },
    versions: () => Promise.all([0, 1, 2, 3].map((partition) => valkey.hget(key(partition), "version"))),
    request: (partition) =>
      `*8\r\n$7\r\nevalsha\r\n$40\r\n${scripts.apply.sha1}\r\n$1\r\n3\r\n$${key(partition).length}\r\n${key(partition)}\r\n`,
  };
}

const MIXED = { 0: 2, 1: 2, 2: 1, 3: 1 };
const TEXT = "it has version 2 in partition 0-1, and has version 1 in partition 2-3; apply version 2 again";

/** Calls that install version 2. */
const calls = ["apply", "machine"] as const;

it.each(calls)(
  "%s that entities overtake names the versions, and heals when it is called again",
  async (call) => {
    const { home, far, proxy, versions, request } = await fourPartitions();
    const jobs = await home.machine(job());
    await jobs.create(ID);
    proxy.holdReply(request(1));
    const overtaken = rejectionOf(MachineInUseError, far[call](job(2)));
    await proxy.lost;
    await jobs.transition(ID, "paused"); // version 2 drops this state
    proxy.cut();
    const error = await overtaken;
    expect(error).toMatchObject({ problem: "STATES", versions: MIXED });
    expect(error.message).toBe(
      `machine job: entities are in states that this version drops (1 in paused); map each to a state that it has ({ map: { old: "new" } }, or --map old=new); ${TEXT}`,
    );
    expect((await rejectionOf(MachineInUseError, far[call](job(2)))).versions).toEqual(MIXED);
    await jobs.transition(ID, "active");
    await far[call](job(2));
    expect(await versions()).toEqual(["2", "2", "2", "2"]);
  },
);

it.each(calls)(
  "%s that a damaged key stops names the versions, and heals when it is called again",
  async (call) => {
    const { home, far, proxy, versions, request } = await fourPartitions();
    const valkey = await admin();
    const index = `{${home.namespace}:2}:job:index`;
    proxy.holdReply(request(1));
    const stopped = rejectionOf(ApplyInterruptedError, far[call](job(2)));
    await proxy.lost;
    await valkey.set(index, "mine");
    proxy.cut();
    const error = await stopped;
    expect(error).toMatchObject({ code: "UNKNOWN", machine: "job", versions: MIXED });
    expect(error.message).toContain(`WRONGTYPE Operation against a key holding the wrong kind of value`);
    expect(error.message.endsWith(`; ${TEXT}`)).toBe(true);
    await valkey.del(index);
    await far[call](job(2));
    expect(await versions()).toEqual(["2", "2", "2", "2"]);
  },
);

it.each(calls)("%s that loses the server names the versions that it knows, and heals later", async (call) => {
  const { far, proxy, versions, request } = await fourPartitions();
  proxy.dropRequest(request(2));
  proxy.shut(true);
  const error = await rejectionOf(ApplyInterruptedError, far[call](job(2)));
  expect(error.versions).toEqual({ 0: 2, 1: 2 });
  expect(error.message.endsWith("some partitions may have the new version; apply it again")).toBe(true);
  proxy.shut(false);
  await expect.poll(() => far[call](job(2)).then(versions, () => null)).toEqual(["2", "2", "2", "2"]);
});

/** A client of a namespace that keeps the reported losses. */
async function noting(namespace: string) {
  const losses: DataLoss[] = [];
  const latchkey = await client({ namespace, onDataLoss: (loss) => void losses.push(loss) });
  return { latchkey, losses };
}

it("a partition that an interrupted first apply had not reached gets the machine with the first call, and nothing counts as lost", async () => {
  const { home, far, proxy, versions, request } = await fourPartitions(false);
  proxy.dropRequest(request(2));
  proxy.shut(true);
  await rejectionOf(ApplyInterruptedError, far.apply(job()));
  expect(await versions()).toEqual(["1", "1", null, null]);
  const { latchkey, losses } = await noting(home.namespace);
  const jobs = await latchkey.installed("job");
  expect(await jobs?.create(ID)).toMatchObject({ id: ID, version: 1 });
  expect(await versions()).toEqual(["1", "1", "1", "1"]);
  expect(losses).toEqual([]);
});

it.each<[string, readonly number[], (latchkey: Latchkey) => Promise<unknown>]>([
  ["that it had before", [2, 3], (latchkey) => latchkey.machine(job())],
  ["before others that have it", [2], (latchkey) => latchkey.installed("job")],
])("a partition that lacks the machine %s has lost it", async (_, partitions, begin) => {
  const { home } = await fourPartitions();
  const { latchkey, losses } = await noting(home.namespace);
  await begin(latchkey);
  for (const partition of partitions) {
    const tag = `{${home.namespace}:${partition}}`;
    await (await admin()).del(`${tag}:job:machine`, `${tag}:machines`);
  }
  await (await latchkey.installed("job"))?.create(ID);
  expect(losses).toEqual([{ namespace: home.namespace, machines: ["job"], isReinstalled: true }]);
});

it("machine() that a newer version overtakes uses that one", async () => {
  const { home, far, proxy, request } = await fourPartitions();
  proxy.holdReply(request(1));
  const overtaken = far.machine(job(2));
  await proxy.lost;
  await home.apply(job(3));
  proxy.cut();
  expect((await overtaken).definition.version).toBe(3);
});

it.each(["replica", "user who may only read"])(
  "machine() of an installed machine works on a %s, whatever version the program has",
  async (who) => {
    const { primary, admin: boss } = await replicated();
    const home = await client({ url: primary.url, namespace: "t" });
    await home.init(2);
    const jobs = await home.machine(job(2));
    await jobs.create("a1", {}, { durability: { replicas: 1 } });
    const [, replica] = /slave0:ip=[^,]*,port=(\d+)/.exec(await boss.info("replication")) ?? [];
    await boss.call(
      "ACL",
      "SETUSER",
      "reader",
      "on",
      ">secret",
      ...allRules({ roles: ["reader"], namespace: "t" }),
    );
    const url =
      who === "replica"
        ? `valkey://127.0.0.1:${replica}`
        : `valkey://reader:secret@127.0.0.1:${primary.port}`;
    const { logger, lines } = recordingLogger();
    const warnings = () =>
      lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg.includes("is not installed"));
    const far = await client({ url, namespace: "t", timeout: "1s", logger });
    for (const version of [2, 1]) {
      const entities = await far.machine(job(version)); // version 1 is older than the installed one, which applies
      expect(entities.definition.version).toBe(2);
      expect(await entities.get("a1")).toMatchObject({ state: "active" });
    }
    expect(warnings()).toEqual([]);
    const before = await keyspace(boss, "t");
    const newer = await far.machine(job(3));
    expect(newer.definition.version).toBe(2);
    expect(await newer.get("a1")).toMatchObject({ state: "active" });
    expect(warnings()).toMatchObject([{ machine: "job", version: 3, installed: 2 }]);
    const error = await rejectionOf(NotExecutedError, far.machine({ ...job(), name: "other" }));
    expect(error.reply).toBe(who === "replica" ? "READONLY" : "NOPERM");
    expect(await keyspace(boss, "t")).toEqual(before);
  },
);

it("machine() of an installed machine writes nothing and runs no script", async () => {
  const { home } = await fourPartitions();
  const valkey = await admin();
  const before = await keyspace(valkey, home.namespace);
  await valkey.config("RESETSTAT");
  await home.machine(job());
  expect(await valkey.info("commandstats")).not.toContain("cmdstat_evalsha");
  expect(await keyspace(valkey, home.namespace)).toEqual(before);
});
