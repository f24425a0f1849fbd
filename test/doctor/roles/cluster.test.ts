import { afterAll, beforeAll, expect, it } from "vitest";
import type { ClusterServers } from "../../../faults/servers/cluster.js";
import { allRules } from "../../../src/doctor/permissions/acl.js";
import { CLUSTER } from "../../../src/doctor/permissions/commands.js";
import type { Role } from "../../../src/doctor/permissions/role-names.js";
import { agent, connect, type Latchkey } from "../../../src/index.js";
import { all, rejection } from "../../helpers/client.js";
import { ownCluster, useCluster } from "../../helpers/cluster.js";
import { results } from "../../helpers/doctor.js";
import { commandsSince, grantedBy } from "../../helpers/role.js";

const open: Latchkey[] = [];
afterAll(() => Promise.all(open.map((latchkey) => latchkey.close())));
beforeAll(async () => {
  await using owner = await connect({ url: (await useCluster()).url, namespace: "here" });
  await owner.init(8);
});

/** Creates a user on every node, and connects as it. */
async function as(
  roles: readonly Role[],
  cluster: ClusterServers,
): Promise<{ latchkey: Latchkey; granted: readonly string[] }> {
  const rules = allRules({ roles, namespace: "here", cluster: true });
  const username = roles.join("-");
  for (const { admin } of cluster.nodes)
    await admin.call("ACL", "SETUSER", username, "reset", "on", ">few", ...rules);
  const latchkey = await connect({ url: cluster.url, namespace: "here", username, password: "few" });
  open.push(latchkey);
  return { latchkey, granted: grantedBy(rules.join(" ")).map(({ name }) => name) };
}

it("a writer and reactor changes entities of all partitions, and follows a slot that migrates", async () => {
  const cluster = await useCluster();
  const { nodes } = cluster;
  for (const { admin } of nodes) await admin.config("RESETSTAT");
  const { latchkey, granted } = await as(["writer", "reactor"], cluster);
  const agents = await latchkey.machine(agent());
  const ids = Array.from({ length: 40 }, (_, n) => `a${n}`);
  for (const id of ids) await agents.create(id);
  const reaction = await agents.react(
    "start",
    async ({ id }) => void (await agents.transition(id, "running")),
    {
      from: "start",
      on: ["agent.spawned"],
    },
  );
  await expect.poll(async () => (await agents.count()).running).toBe(ids.length);
  await reaction.close();
  expect(await all(agents.list())).toHaveLength(ids.length);
  expect(await all(agents.events({ after: "start", follow: false }))).toHaveLength(2 * ids.length);
  expect(await latchkey.sweep({ once: true })).toMatchObject({ stuck: 0 });

  const slot = await cluster.slotOf("{here:0}:machines");
  const from = await cluster.owner(slot);
  const to = nodes.find((node) => node !== from) ?? from;
  const migration = await cluster.beginMigration(slot, to);
  while ((await migration.moveKeys(100)) > 0);
  expect(await all(agents.list())).toHaveLength(ids.length);
  await agents.remove("a1");
  await migration.finish(await cluster.primaries());
  expect((await Promise.all(nodes.map(({ admin }) => admin.call("ACL", "LOG")))).flat()).toEqual([]);
  const called = (await Promise.all(nodes.map(({ admin }) => commandsSince(admin)))).flat();
  const sent = CLUSTER.filter((name) => name !== "readonly"); // only to replicas
  expect(called).toEqual(expect.arrayContaining(sent));
  expect(granted).toEqual(expect.arrayContaining([...CLUSTER]));
});

it("a reader reads entities of all partitions, and changes nothing", async () => {
  const { latchkey } = await as(["reader"], await useCluster());
  const agents = await latchkey.installed("agent");
  if (agents === null) throw new Error("no agents");
  await all(agents.list());
  await agents.get("a2");
  await agents.count();
  await all(agents.events({ after: "start", follow: false }));
  for (const id of ["a2", "a3", "a4", "a5"])
    expect(await rejection(agents.patch(id, { set: { n: 1 } }))).toMatchObject({ reply: "NOPERM" });
});

it("the doctor names the permission for a cluster that a writer lacks", async () => {
  const cluster = await useCluster();
  await as(["writer"], cluster);
  for (const { admin } of cluster.nodes) await admin.call("ACL", "SETUSER", "writer", "-asking");
  const all = await results({ url: cluster.url, namespace: "here", username: "writer", password: "few" });
  const own = all.filter(({ id }) => id === "permissions");
  expect(own.map(({ level, fix }) => [level, fix])).toEqual([["fail", "ACL SETUSER writer +asking"]]);
});

it("an operator may make all checks of the doctor, and a reader those of the cluster", async () => {
  const cluster = await useCluster();
  for (const role of ["operator", "reader"] as const) {
    await as([role], cluster);
    const all = await results({ url: cluster.url, namespace: "here", username: role, password: "few" });
    const denied = all.filter(({ permission }) => permission !== undefined).map(({ id }) => id);
    if (role === "operator") expect(denied).toEqual([]);
    expect(denied.filter((id) => id.startsWith("cluster/"))).toEqual([]);
    expect(all.map(({ id }) => id)).toEqual(expect.arrayContaining(["cluster/moves", "cluster/seeds"]));
    expect(all.filter(({ id }) => id === "permissions")).toHaveLength(1);
  }
});

it("the doctor works for a user who may not read CLUSTER NODES, and advises to run it as an operator", async () => {
  const cluster = await useCluster();
  await as(["writer"], cluster);
  const all = await results({ url: cluster.url, namespace: "here", username: "writer", password: "few" });
  const of = (id: string) => all.find((one) => one.id === id);
  expect(of("cluster/moves")).toEqual({
    id: "cluster/moves",
    level: "info",
    status: "permission denied: needs +cluster|nodes",
    meaning: "not checked",
    fix: "latchkey acl --role operator --cluster",
    permission: "+cluster|nodes",
  });
  expect(of("cluster/nodes")).toMatchObject({ level: "ok", status: "3 nodes, all reachable" });
  expect(of("permissions")).toMatchObject({ level: "ok" });
});

it("a reader reads replicas, which need READONLY", async () => {
  const cluster = await ownCluster({ primaries: 2, replicas: 1 });
  await using owner = await connect({ url: cluster.url, namespace: "here", timeout: "30s" });
  await owner.init(8);
  await (await owner.machine(agent())).create("a1", {}, { durability: { replicas: 1 } });
  const { latchkey } = await as(["reader"], cluster);
  const agents = await latchkey.installed("agent");
  expect(await agents?.count({ reads: "replica" })).toMatchObject({ spawning: 1 });
  const called = await Promise.all(cluster.nodes.map(({ admin }) => commandsSince(admin)));
  expect(called.flat()).toContain("readonly");
});
