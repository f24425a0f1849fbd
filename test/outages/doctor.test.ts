import { describe, expect, test } from "vitest";
import type { ClusterServers } from "../../faults/servers/cluster.js";
import type { ClusterNode } from "../../faults/servers/cluster-node.js";
import type { CheckResult } from "../../src/doctor/check-result.js";
import { allRules } from "../../src/doctor/permissions/acl.js";
import { agent, connect } from "../../src/index.js";
import { ownCluster, useCluster } from "../helpers/cluster.js";
import { results } from "../helpers/doctor.js";
import { tryRun } from "../helpers/run.js";
import { freshNamespace } from "../helpers/valkey.js";

/** Short enough for a failure to be noticed in a test. */
const NODE_TIMEOUT_MS = 4_000;
const SOON = { timeout: 60_000, interval: 500 };

const nameOf = (node: ClusterNode | undefined): string => `127.0.0.1:${node?.port}`;

/** Returns the results by id. */
async function look(url: string, namespace: string, more: { username?: string; password?: string } = {}) {
  const all = await results({ url, namespace, timeout: "1s", ...more });
  return Object.assign((id: string): CheckResult[] => all.filter((one) => one.id === id), { all });
}

/** Waits until most nodes agree that a node has failed. */
async function untilDead(cluster: ClusterServers, dead: ClusterNode): Promise<void> {
  const isDead = async ({ admin }: ClusterNode): Promise<boolean> =>
    new RegExp(`^${dead.id} \\S+ \\S*fail `, "m").test(String(await admin.cluster("NODES")));
  const others = cluster.nodes.filter((node) => node !== dead);
  await expect.poll(async () => (await Promise.all(others.map(isDead))).every(Boolean), SOON).toBe(true);
}

/** Installs the machine in a namespace whose facts are on a node. */
async function namespaceOn(cluster: ClusterServers, home: ClusterNode): Promise<string> {
  let namespace = freshNamespace();
  while ((await cluster.ownerOf(`{${namespace}}:meta`)) !== home) namespace = freshNamespace();
  await using latchkey = await connect({ url: cluster.url, namespace });
  await latchkey.machine(agent());
  return namespace;
}

describe("doctor on a cluster with a dead node", () => {
  test("names a replica that is dead, and how it is started or forgotten", async () => {
    const cluster = await ownCluster({ nodeTimeoutMs: NODE_TIMEOUT_MS });
    const [first] = await cluster.primaries();
    const replica = await cluster.add(first);
    await replica.server.kill9();
    await untilDead(cluster, replica);
    const [dead, ...others] = (await look(cluster.url, freshNamespace()))("cluster/nodes");
    const name = nameOf(replica);
    expect(others).toEqual([]);
    expect(dead).toMatchObject({
      level: "warn",
      status: expect.stringMatching(
        `^${name} \\(replica of ${nameOf(first)}\\) not reachable from here: connection refused .*; reported as fail by all primaries$`,
      ),
      fix: expect.stringMatching(
        `^start ${name} again. If it is gone for good: valkey-cli --cluster call \\S+ CLUSTER FORGET ${replica.id}$`,
      ),
    });
    const rest = cluster.nodes.filter((node) => node !== replica);
    await Promise.all(rest.map(({ admin }) => admin.cluster("FORGET", replica.id)));
    expect((await look(cluster.url, freshNamespace()))("cluster/nodes")).toMatchObject([
      { level: "ok", status: "3 nodes, all reachable" },
    ]);
  });

  test("names a dead primary, what stops, and how it is revived; then the former primary", async () => {
    const cluster = await ownCluster({ nodeTimeoutMs: NODE_TIMEOUT_MS });
    const [dead] = await cluster.primaries();
    if (dead === undefined) throw new Error("The cluster has no primary");
    const replica = await cluster.add(dead);
    await replica.admin.config("SET", "cluster-replica-no-failover", "yes");
    const namespace = await namespaceOn(cluster, dead);
    await dead.server.kill9();
    await untilDead(cluster, dead);
    const of = await look(cluster.url, namespace);
    const name = nameOf(dead);
    expect(of("cluster/slots")).toMatchObject([
      {
        level: "fail",
        status: expect.stringMatching(`^${name} is dead, the primary of 5461 slots; cluster_state is fail`),
        meaning:
          "all reads and changes are rejected with CLUSTERDOWN, because cluster-require-full-coverage is yes",
        fix: expect.stringMatching(
          `^start ${name} again, .* CLUSTER FAILOVER TAKEOVER at its replica ${nameOf(replica)}. Acknowledged changes .* are then lost$`,
        ),
      },
    ]);
    expect(of("cluster/nodes")).toMatchObject([
      { level: "fail", status: expect.stringContaining(`${name} (primary of 5461 slots)`) },
    ]);
    const unchecked = of("unchecked");
    expect(unchecked).toHaveLength(1);
    expect(unchecked).toMatchObject([
      {
        level: "warn",
        status: expect.stringContaining(`${name}: connection refused`),
        meaning: expect.stringContaining("namespace, machines"),
      },
    ]);
    expect(of("maxmemory-policy")).toMatchObject([{ level: "ok" }]);
    await replica.admin.config("SET", "cluster-replica-no-failover", "no");
    await expect.poll(async () => (await replica.view()).own.primary, SOON).toBeUndefined();
    const later = async () =>
      (await look(cluster.url, namespace))("cluster/nodes").map(({ level, status }) => ({ level, status }));
    await expect
      .poll(later, SOON)
      .toMatchObject([{ level: "warn", status: expect.stringContaining(`${name} (primary without slots)`) }]);
    // valkey-cli does not fix a move while a primary is unreachable, unless an option allows it.
    const [from, to] = await cluster.primaries();
    if (from === undefined || to === undefined) throw new Error("The cluster has no primaries");
    const slot = (await from.view()).own.slots[0]?.[0] ?? 0;
    await cluster.beginMigration(slot, to);
    const [move] = (await look(cluster.url, namespace))("cluster/moves");
    const line = `valkey-cli --cluster fix ${nameOf(from)} --cluster-fix-with-unreachable-primaries`;
    expect(move?.fix).toBe(`if no move is under way, ${line}`);
    const [program = "", ...words] = line.split(" ");
    expect(await tryRun(program, words, { cwd: "/" })).toMatchObject({ exit: 0 });
    expect((await look(cluster.url, namespace))("cluster/moves")).toMatchObject([{ level: "ok" }]);
  });

  test("names the loss of most primaries, and what makes failovers possible again", async () => {
    const cluster = await ownCluster({ nodeTimeoutMs: NODE_TIMEOUT_MS, replicas: 1 });
    const [first, second] = await cluster.primaries();
    if (first === undefined || second === undefined) throw new Error("The cluster has no primaries");
    const replicas = await Promise.all([first, second].map((primary) => cluster.replicasOf(primary)));
    await Promise.all([first, second].map(({ server }) => server.kill9()));
    const slots = async () => (await look(cluster.url, freshNamespace()))("cluster/slots");
    const stuck = [first, second].map((dead, at) => [
      `${nameOf(dead)} does not reply, the primary of 546`,
      `start ${nameOf(dead)} again. If that is not possible, run CLUSTER FAILOVER TAKEOVER at its replica ${nameOf(replicas[at]?.[0])}.`,
    ]);
    await expect.poll(slots, SOON).toMatchObject([
      {
        level: "fail",
        status: expect.stringMatching(
          "; primaries that work: 1 of 3; a failover needs 2; cluster_state is fail$",
        ),
        meaning: "all reads and changes are rejected with CLUSTERDOWN, because most primaries do not reply",
      },
    ]);
    const [found] = await slots();
    for (const [fact = "", fix = ""] of stuck) {
      expect(found?.status).toContain(fact);
      expect(found?.fix).toContain(fix);
    }
    await replicas[0]?.[0]?.admin.cluster("FAILOVER", "TAKEOVER");
    await expect.poll(slots, SOON).toMatchObject([{ level: "ok" }]);
  });

  test("waits for a frozen primary for the time of one connection", async () => {
    const cluster = await ownCluster();
    const [frozen, home] = await cluster.primaries();
    if (frozen === undefined || home === undefined) throw new Error("The cluster has no primaries");
    const namespace = await namespaceOn(cluster, home);
    frozen.server.stop();
    // With a second wait, this test would not end.
    const all = await results({ url: cluster.url, namespace, timeout: "1h", connectTimeoutMs: 1_000 });
    frozen.server.cont();
    expect(all.filter(({ id }) => id === "cluster/nodes")).toMatchObject([
      {
        level: "fail",
        status: `${nameOf(frozen)} (primary of 5461 slots) not reachable from here: no reply in time`,
      },
    ]);
    expect(all.find(({ id }) => id === "maxmemory-policy")).toMatchObject({ level: "ok" });
  });

  test("names a former member that returned, and how it becomes a member again", async () => {
    const cluster = await ownCluster({ nodeTimeoutMs: NODE_TIMEOUT_MS });
    const [first] = await cluster.primaries();
    const former = await cluster.add(first);
    const rest = cluster.nodes.filter((node) => node !== former);
    await Promise.all(rest.map(({ admin }) => admin.cluster("FORGET", former.id)));
    const url = `${cluster.url.replace(`,${nameOf(former)}`, "")},${nameOf(former)}`;
    const seeds = async () => (await look(url, freshNamespace()))("cluster/seeds");
    expect(await seeds()).toMatchObject([
      {
        level: "fail",
        status: `${nameOf(former)} knows the nodes of the cluster, and they do not know it`,
        fix: expect.stringMatching(
          `^CLUSTER MEET 127.0.0.1 ${former.port} at \\S+, a minute or more after CLUSTER FORGET; or `,
        ),
      },
    ]);
    // The nodes reject it for a minute after CLUSTER FORGET.
    const meet = async () => {
      await first?.admin.cluster("MEET", "127.0.0.1", former.port, former.announced.busPort);
      return seeds();
    };
    await expect.poll(meet, { ...SOON, timeout: 120_000 }).toMatchObject([{ level: "ok" }]);
  });

  test("limits the damage to the slots of the dead primary without full coverage", async () => {
    const cluster = await ownCluster({
      nodeTimeoutMs: NODE_TIMEOUT_MS,
      settings: { "cluster-require-full-coverage": "no" },
    });
    const [dead, home] = await cluster.primaries();
    if (dead === undefined || home === undefined) throw new Error("The cluster has no primaries");
    const [namespace, other] = [await namespaceOn(cluster, home), await namespaceOn(cluster, dead)];
    expect((await look(cluster.url, namespace))("cluster-require-full-coverage")).toMatchObject([
      { level: "ok", status: "no" },
    ]);
    await dead.server.kill9();
    await untilDead(cluster, dead);
    const of = await look(cluster.url, namespace);
    expect(of("cluster/slots")).toMatchObject([
      {
        status: `${nameOf(dead)} is dead, the primary of 5461 slots`,
        meaning: "reads and changes of the entities of these slots are rejected; those of the others are not",
        fix: `start ${nameOf(dead)} again, with its data: it has no replica`,
      },
    ]);
    expect(of("namespace")).toMatchObject([{ level: "ok" }]);
    expect(of("unchecked")).toMatchObject([
      { status: expect.stringContaining(nameOf(dead)), meaning: expect.not.stringContaining("namespace") },
    ]);
    expect((await look(cluster.url, other))("cluster/slots")).toMatchObject([
      {
        meaning:
          "reads and changes of the entities of these slots are rejected; those of the others are not. One of these slots has " +
          "the facts of the namespace, so programs that run go on, and no program or command can start",
      },
    ]);
  });
});

test("warns that a primary without a replica stops all partitions if full coverage is required", async () => {
  const { url } = await useCluster();
  expect((await look(url, freshNamespace()))("cluster-require-full-coverage")).toMatchObject([
    {
      level: "warn",
      status: "yes",
      fix: expect.stringContaining("CONFIG SET cluster-require-full-coverage no"),
    },
  ]);
});

test.each(["home", "other"])(
  "names the node that lacks the user (%s), and checks the others",
  async (kind) => {
    const cluster = await useCluster();
    const [home] = cluster.nodes;
    if (home === undefined) throw new Error("The cluster has no nodes");
    const namespace = await namespaceOn(cluster, home);
    const without = kind === "home" ? home : cluster.nodes.find((node) => node !== home);
    const username = freshNamespace();
    const rules = allRules({ roles: ["operator"], namespace, cluster: true });
    for (const node of cluster.nodes)
      if (node !== without) await node.admin.call("ACL", "SETUSER", username, "on", ">few", ...rules);
    const of = await look(cluster.url, namespace, { username, password: "few" });
    expect(of("cluster/nodes")).toMatchObject([
      {
        level: "fail",
        status: expect.stringMatching(
          `^${nameOf(without)} .* not reachable from here: authentication failed \\(WRONGPASS\\)$`,
        ),
        fix: "create the user on this node too: Valkey does not distribute users",
      },
    ]);
    expect(of("permissions")).toMatchObject([{ level: "ok" }]);
    expect(of("unchecked")).toHaveLength(1);
  },
);

test("names a node that was introduced and never replied", async () => {
  const cluster = await useCluster();
  const [first] = cluster.nodes;
  await first?.admin.call("CLUSTER", "MEET", "127.0.0.1", 1, 2);
  expect((await look(cluster.url, freshNamespace()))("cluster/nodes")).toMatchObject([
    {
      level: "warn",
      status: expect.stringMatching(
        `^127.0.0.1:1 \\(not a member yet\\) not reachable from here: .*; reported as handshake by ${nameOf(first)}$`,
      ),
      meaning: "it was introduced to the cluster, and does not reply",
    },
  ]);
});
