import { describe, expect, test } from "vitest";
import { judgeClocks, judgeVersions, type NodeFacts } from "../../src/doctor/checks/cluster-versions.js";
import { DoctorContext } from "../../src/doctor/context.js";
import { mergeResults } from "../../src/doctor/merge.js";
import { agent, connect } from "../../src/index.js";
import { scripts } from "../../src/lua/index.js";
import type { Duration } from "../../src/machine/duration.js";
import { ownCluster, useCluster } from "../helpers/cluster.js";
import { clusterProxies } from "../helpers/cluster-proxies.js";
import { connected, results } from "../helpers/doctor.js";
import { freshNamespace } from "../helpers/valkey.js";

/** Returns the results by id. Those of one id that concern different servers are in one list. */
async function byId(url: string, namespace = freshNamespace(), timeout: Duration = "5s") {
  const all = await results({ url, namespace, timeout });
  return (id: string) => all.filter((one) => one.id === id);
}

describe("doctor on a cluster", () => {
  test("checks slots, nodes, versions, clocks, and the spread of the partitions", async () => {
    const { url } = await useCluster();
    const namespace = freshNamespace();
    const latchkey = await connect({ url, namespace });
    await (await latchkey.machine(agent())).create("a-1", { taskId: "t" });
    await latchkey.close();
    const of = await byId(url, namespace);
    expect(of("cluster/slots")).toMatchObject([{ level: "ok", status: "3 primaries serve all 16384 slots" }]);
    expect(of("cluster/nodes")).toMatchObject([{ level: "ok", status: "3 nodes, all reachable" }]);
    expect(of("cluster/versions")).toMatchObject([
      { level: "ok", status: expect.stringContaining("all nodes") },
    ]);
    expect(of("cluster/clocks")).toMatchObject([{ level: "ok" }]);
    expect(of("cluster/partitions")).toMatchObject([
      { level: "ok", status: expect.stringMatching(/^64 partitions, by primary: \d+, \d+, \d+$/) },
    ]);
    expect(of("machine/agent")).toMatchObject([{ level: "ok", meaning: "the same in every partition" }]);
    expect(of("permissions")).toHaveLength(1);
    expect(of("dates")).toMatchObject([{ level: "ok" }]);
    expect(of("replicas")).toMatchObject([{ level: "warn", status: "none" }]);
  });

  test("reaches the nodes at the addresses of natMap", async () => {
    const cluster = await useCluster();
    const { cluster: option } = await clusterProxies(cluster);
    const connection = await connected({ cluster: option });
    const { map } = await new DoctorContext(connection, { namespace: "t", machine: "agent" }).view();
    expect([...map.primaries.keys()].sort()).toEqual([...(option.nodes ?? [])].sort());
  });

  test("names the servers of a result that does not concern all", async () => {
    const { url, nodes } = await useCluster();
    const [odd] = nodes;
    await odd?.admin.config("SET", "maxmemory-policy", "allkeys-lru");
    const of = await byId(url);
    await odd?.admin.config("SET", "maxmemory-policy", "noeviction");
    const address = `127.0.0.1:${odd?.port}`;
    expect(of("maxmemory-policy")).toHaveLength(2);
    expect(of("maxmemory-policy")).toContainEqual(
      expect.objectContaining({
        level: "fail",
        status: `allkeys-lru (${address})`,
        servers: [`valkey://${address}`],
      }),
    );
  });

  test("names the servers that lack scripts", async () => {
    const { url, nodes } = await useCluster();
    const [odd] = nodes;
    for (const { admin } of nodes)
      for (const { text } of Object.values(scripts)) await admin.script("LOAD", text);
    await odd?.admin.script("FLUSH");
    const found = (await byId(url))("scripts");
    const address = `127.0.0.1:${odd?.port}`;
    expect(found).toHaveLength(2);
    expect(found).toContainEqual(expect.objectContaining({ level: "ok" }));
    expect(found).toContainEqual(
      expect.objectContaining({
        level: "info",
        status: expect.stringMatching(new RegExp(`^not loaded: .*\\(${address}\\)$`)),
        servers: [`valkey://${address}`],
      }),
    );
  });

  test("checks the settings of replicas too, and advises to require a replica if each primary has two", async () => {
    const { url, nodes } = await ownCluster({ primaries: 1, replicas: 2 });
    const replica = nodes.at(-1);
    await replica?.admin.config("SET", "maxmemory-policy", "allkeys-lru");
    // The nodes know each other before the replicas have copied the data.
    const primary = nodes.at(0)?.admin;
    await expect.poll(async () => primary?.info("replication")).toContain("connected_slaves:2");
    await expect
      .poll(async () => (await byId(url))("cluster/nodes"))
      .toMatchObject([{ status: "3 nodes, all reachable" }]);
    const of = await byId(url);
    expect(of("maxmemory-policy")).toContainEqual(
      expect.objectContaining({ level: "fail", servers: [`valkey://127.0.0.1:${replica?.port}`] }),
    );
    expect(of("role")).toMatchObject([{ level: "ok" }]);
    // CLUSTER SLOTS lists a replica when the primary has heard its position.
    await expect
      .poll(async () => (await byId(url))("replicas"))
      .toMatchObject([{ fix: "CONFIG SET min-replicas-to-write 1" }]);
  });

  test("names a primary that is down, and checks the others", async () => {
    const cluster = await ownCluster();
    const namespace = freshNamespace();
    const home = await cluster.ownerOf(`{${namespace}}:meta`);
    const down = cluster.nodes.find((node) => node !== home);
    await down?.server.kill9();
    const of = await byId(cluster.url, namespace, "1s");
    const address = `127.0.0.1:${down?.port}`;
    expect(of("cluster/nodes")).toMatchObject([
      {
        level: "fail",
        status: expect.stringMatching(
          new RegExp(`^${address} \\(primary of \\d+ slots\\) not reachable from here: connection refused`),
        ),
        meaning: expect.stringContaining(address),
      },
    ]);
    expect(of("maxmemory-policy")).toMatchObject([{ level: "ok" }]);
  });

  test("reports slots that no primary serves", async () => {
    const cluster = await ownCluster();
    const slot = await cluster.slotOf("somewhere");
    // Each node has its own view, and learns from the others only who owns a slot.
    await Promise.all(cluster.nodes.map(({ admin }) => admin.call("CLUSTER", "DELSLOTS", slot)));
    const of = await byId(cluster.url);
    expect(of("cluster/slots")).toMatchObject([{ level: "fail" }]);
  });

  test("counts the replicas of each primary, and primaries without a partition", async () => {
    const cluster = await ownCluster();
    const [first] = await cluster.primaries();
    await cluster.add(first);
    await cluster.add(first);
    const namespace = freshNamespace();
    const latchkey = await connect({ url: cluster.url, namespace });
    await latchkey.init(1);
    await latchkey.close();
    let of = await byId(cluster.url, namespace);
    const nodes = async () => {
      of = await byId(cluster.url, namespace);
      return of("cluster/nodes");
    };
    // The other nodes list a replica when they have heard how far it is.
    await expect.poll(nodes).toMatchObject([{ status: "5 nodes, all reachable" }]);
    expect(
      of("replicas")
        .map(({ level }) => level)
        .sort(),
    ).toEqual(["info", "warn"]);
    expect(of("replicas")).toContainEqual(
      expect.objectContaining({
        fix: "connect a second replica to each primary, then set min-replicas-to-write 1",
      }),
    );
    expect(of("cluster/partitions")).toMatchObject([
      {
        level: "info",
        status: "1 partition, by primary: 1, 0, 0",
        meaning: expect.stringMatching(/^no load for 127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+;/),
      },
    ]);
  });

  const node = (skewMs: number, version = "8.0.1"): NodeFacts => ({ version, skewMs, errorMs: 2 });

  test("warns of clocks and versions that differ between nodes", () => {
    expect(
      judgeClocks(
        new Map([
          ["a:1", node(-3000)],
          ["b:1", node(40)],
        ]),
      ),
    ).toMatchObject({
      level: "warn",
      status: "3040 ms apart: a:1 is behind b:1",
    });
    expect(
      judgeClocks(
        new Map([
          ["a:1", node(5)],
          ["b:1", node(6)],
        ]),
      ).level,
    ).toBe("ok");
    expect(
      judgeVersions(
        new Map([
          ["a:1", node(0)],
          ["b:1", node(0, "8.1.0")],
        ]),
      ),
    ).toMatchObject({
      level: "warn",
      status: "8.0.1 on a:1; 8.1.0 on b:1",
    });
  });

  test("merges equal results of servers, and names the servers of different statuses if something is wrong", () => {
    const of = (address: string, level: "ok" | "warn", status: string) => ({
      address,
      results: [{ id: "latency", level, status, meaning: "fast" }],
    });
    expect(mergeResults([of("valkey://a:1", "ok", "1 ms"), of("valkey://b:1", "ok", "2 ms")])).toEqual([
      { id: "latency", level: "ok", status: "1 ms; 2 ms", meaning: "fast" },
    ]);
    const slow = mergeResults([of("valkey://a:1", "warn", "300 ms"), of("valkey://b:1", "warn", "400 ms")]);
    expect(slow).toEqual([
      { id: "latency", level: "warn", status: "300 ms (a:1); 400 ms (b:1)", meaning: "fast" },
    ]);
    const alone = mergeResults([of("valkey://a:1", "warn", "300 ms")], 1, 3);
    expect(alone.map(({ status }) => status)).toEqual(["300 ms (a:1)"]);
  });
});
