import { describe, expect, it } from "vitest";
import { ConnectError, type DataLoss, type Logger, NotExecutedError } from "../../src/index.js";
import { rejectionOf } from "../helpers/client.js";
import { clusterClient, LONG } from "../helpers/cluster-clients.js";
import { dial } from "../helpers/dial.js";
import { keyspace } from "../helpers/keyspace.js";
import { partlyDown } from "../helpers/partly-down.js";
import { freshNamespace } from "../helpers/valkey.js";

const SHORT = { timeout: "4s" } as const;
const second = { ...dial, version: 2 };

/** A logger that keeps its warnings. */
function warnings() {
  const list: string[] = [];
  const drop = (): void => {};
  const logger: Logger = {
    ...{ debug: drop, info: drop, error: drop },
    warn: (_, message) => void list.push(String(message)),
  };
  return { list, logger };
}

describe("while a primary without a replica is down", () => {
  it("a program starts with the partitions of the other servers, and gets the rest when it is back", async () => {
    const { cluster, namespace, server, address, ids, lostIds } = await partlyDown();
    const { list, logger } = warnings();
    const latchkey = await clusterClient(cluster, { namespace, logger, ...SHORT });
    const dials = await latchkey.machine(dial);
    expect(list).toContainEqual(
      expect.stringContaining(`unreachable (${address}); calls for their partitions fail`),
    );
    for (const id of ids) expect(await dials.transition(id, "b", LONG)).toMatchObject({ version: 2 });
    const [lost = ""] = lostIds;
    expect((await rejectionOf(NotExecutedError, dials.transition(lost, "b"))).message).toContain(address);
    await server.server.restart();
    expect(await dials.transition(lost, "b", LONG)).toMatchObject({ version: 2 });
    expect(await dials.count(LONG)).toMatchObject({ b: ids.length + 1 });
  });

  it("names and definitions of machines are read from the other servers", async () => {
    const { cluster, namespace, ids } = await partlyDown();
    const latchkey = await clusterClient(cluster, { namespace, ...SHORT });
    expect(await latchkey.machines(LONG)).toEqual(["dial"]);
    expect((await latchkey.definition("dial", LONG))?.definition.version).toBe(1);
    const dials = await latchkey.installed("dial", LONG);
    expect(await dials?.get(ids[0] ?? "", LONG)).toMatchObject({ state: "a" });
  });

  it("a new version is installed in no partition, and the error names the server", async () => {
    const { cluster, namespace, address } = await partlyDown();
    const latchkey = await clusterClient(cluster, { namespace, ...SHORT });
    const others = (await cluster.primaries()).map(({ admin }) => admin);
    const before = await Promise.all(others.map((admin) => keyspace(admin, namespace)));
    for (const calls of [() => latchkey.apply(second), () => latchkey.machine(second)]) {
      const { message } = await rejectionOf(NotExecutedError, calls());
      expect(message).toContain(address);
      expect(message).toContain("nothing was installed, because that needs all servers: start the server");
    }
    expect(await Promise.all(others.map((admin) => keyspace(admin, namespace)))).toEqual(before);
  });

  it("a program with an older version uses the newer one that the other servers have", async () => {
    const { cluster, namespace, ids } = await partlyDown((latchkey) => latchkey.apply(second));
    const latchkey = await clusterClient(cluster, { namespace, ...SHORT });
    const dials = await latchkey.machine(dial);
    expect(dials.definition.version).toBe(2);
    expect(await dials.transition(ids[0] ?? "", "b", LONG)).toMatchObject({ version: 2 });
  });

  it.each([
    [
      "the last one, which an interrupted apply had not reached, gets the machine, and nothing counts as lost",
      -1,
    ],
    ["a machine that is missing before others counts as lost", -2],
  ] as const)("all partitions of the server are checked when it is back: %s", async (_, at) => {
    const { cluster, namespace, server, lostPartitions } = await partlyDown(async (_, __, down) => {
      const tag = `{${down.namespace}:${down.lostPartitions.at(at)}}`;
      await down.server.admin.hdel(`${tag}:machines`, "dial");
      await down.server.admin.del(`${tag}:dial:machine`);
    });
    expect(lostPartitions.length).toBeGreaterThan(1);
    const losses: DataLoss[] = [];
    const { list, logger } = warnings();
    const onDataLoss = (loss: DataLoss): void => void losses.push(loss);
    const latchkey = await clusterClient(cluster, { namespace, logger, onDataLoss, ...SHORT });
    const dials = await latchkey.machine(dial);
    await server.server.restart();
    const listed = () => server.admin.hget(`{${namespace}:${lostPartitions.at(at)}}:machines`, "dial");
    await expect.poll(() => listed().catch(() => null), LONG).toBe("1");
    expect(await dials.count(LONG)).toMatchObject({ a: 48 });
    if (at === -1) expect([losses, list.filter((text) => /lost/.test(text))]).toEqual([[], []]);
    else
      await expect.poll(() => losses, LONG).toEqual([{ namespace, machines: ["dial"], isReinstalled: true }]);
  });

  it("an older version in a partition of the server is replaced when all servers are back, and nothing counts as lost", async () => {
    const { cluster, namespace, server, lostPartitions } = await partlyDown(async (latchkey, _, down) => {
      const key = `{${down.namespace}:${down.lostPartitions.at(-1)}}`;
      const [machine, machines] = [`${key}:dial:machine`, `${key}:machines`] as const;
      await down.server.admin.copy(machine, `${key}:kept`);
      await latchkey.apply(second);
      await down.server.admin.rename(`${key}:kept`, machine);
      await down.server.admin.hset(machines, "dial", "1");
    });
    const losses: DataLoss[] = [];
    const onDataLoss = (loss: DataLoss): void => void losses.push(loss);
    const { list, logger } = warnings();
    const latchkey = await clusterClient(cluster, { namespace, logger, onDataLoss, ...SHORT });
    await latchkey.machine(second);
    const other = await cluster.ownerOf(`{${namespace}}`);
    await other.server.kill9();
    await server.server.restart();
    await expect.poll(() => list, LONG).toContainEqual(expect.stringContaining("not installed again yet"));
    await other.server.restart();
    const listed = () => server.admin.hget(`{${namespace}:${lostPartitions.at(-1)}}:machines`, "dial");
    await expect.poll(() => listed().catch(() => null), LONG).toBe("2");
    expect(losses).toEqual([]);
  });
});

it("while the server of a namespace's facts is down, connect names this server", async () => {
  const { cluster, server, address } = await partlyDown();
  const [running] = await cluster.primaries();
  const view = await running?.view();
  let namespace = freshNamespace();
  while (view?.ownerOf(await cluster.slotOf(`{${namespace}}`)) !== server.id) namespace = freshNamespace();
  const connecting = clusterClient(cluster, { namespace, connectTimeoutMs: 1_000 });
  expect(await rejectionOf(ConnectError, connecting)).toMatchObject({ address, reason: "refused" });
});
