import { describe, expect, onTestFinished, test } from "vitest";
import { openProxy } from "../../faults/proxy/open.js";
import { connection } from "../../faults/servers/node.js";
import { hasServerProgram } from "../../faults/servers/program.js";
import { ownCluster, useCluster } from "../helpers/cluster.js";

/** Stores ten keys of one slot, and returns the slot. */
async function fill(cluster: Awaited<ReturnType<typeof useCluster>>, tag: string): Promise<number> {
  const { admin } = await cluster.ownerOf(`{${tag}}`);
  for (let at = 0; at < 10; at += 1) await admin.set(`{${tag}}${at}`, String(at));
  return cluster.slotOf(`{${tag}}`);
}

const names = (nodes: readonly { name: string }[]) => nodes.map(({ name }) => name);

describe.skipIf(!hasServerProgram())("a cluster", () => {
  test("has three primaries that own all slots", async () => {
    const cluster = await useCluster();
    const primaries = await cluster.primaries();
    expect(primaries).toHaveLength(3);
    for (const [at, key] of ["{a}", "{b}", "{c}"].entries()) {
      const owner = await cluster.ownerOf(key);
      expect(await owner.admin.set(key, at)).toBe("OK");
    }
  });

  test("moves a slot with its keys to another primary and back", async () => {
    const cluster = await useCluster();
    const slot = await fill(cluster, "moved");
    const owner = await cluster.owner(slot);
    const [other] = (await cluster.primaries()).filter((node) => node !== owner);
    if (other === undefined) throw new Error("There is one primary");
    await cluster.moveSlot(slot, other);
    expect(await other.admin.get("{moved}7")).toBe("7");
    await expect(owner.admin.get("{moved}7")).rejects.toThrow(`MOVED ${slot} 127.0.0.1:${other.port}`);
    await cluster.moveSlot(slot, owner);
    expect(await owner.admin.get("{moved}7")).toBe("7");
  });

  test("asks for keys at both nodes while a slot moves, and at the owner after the move was aborted", async () => {
    const cluster = await useCluster();
    const slot = await fill(cluster, "halfway");
    const owner = await cluster.owner(slot);
    const [other] = (await cluster.primaries()).filter((node) => node !== owner);
    if (other === undefined) throw new Error("There is one primary");
    const migration = await cluster.beginMigration(slot, other);
    expect(await migration.moveKeys(5)).toBe(5);
    const keys = Array.from({ length: 10 }, (_, at) => `{halfway}${at}`);
    const replies = await Promise.all(keys.map((key) => owner.admin.get(key).catch(String)));
    expect(replies.filter((reply) => reply?.includes(`ASK ${slot} 127.0.0.1:${other.port}`))).toHaveLength(5);
    await expect(owner.admin.mget(keys)).rejects.toThrow("TRYAGAIN");
    await migration.abort(await cluster.primaries());
    expect(await owner.admin.mget(keys)).toEqual(keys.map((_, at) => String(at)));
    expect((await cluster.owner(slot)).name).toBe(owner.name);
  });

  test("gets a node, which can own a slot, and loses it again", async () => {
    const cluster = await ownCluster();
    const slot = await fill(cluster, "lent");
    const owner = await cluster.owner(slot);
    const added = await cluster.add();
    await cluster.moveSlot(slot, added);
    expect(await added.admin.get("{lent}3")).toBe("3");
    await cluster.remove(added, owner);
    expect(names(cluster.nodes)).not.toContain(added.name);
    expect(await owner.admin.get("{lent}3")).toBe("3");
  });

  test.each([
    ["plain", undefined],
    ["FORCE", "FORCE"],
    ["TAKEOVER", "TAKEOVER"],
  ] as const)("promotes a replica by the %s command", async (_, mode) => {
    const cluster = await ownCluster({ replicas: 1 });
    const slot = await fill(cluster, "promoted");
    const owner = await cluster.owner(slot);
    const [replica] = await cluster.replicasOf(owner);
    if (replica === undefined) throw new Error("There is no replica");
    await owner.admin.wait(1, 0);
    await cluster.failOver(replica, mode);
    expect((await cluster.owner(slot)).name).toBe(replica.name);
    expect(await replica.admin.get("{promoted}5")).toBe("5");
    await cluster.awaitHealth();
    expect(names(await cluster.replicasOf(replica))).toEqual([owner.name]);
  });

  test("promotes a replica by itself when a primary is killed", async () => {
    const cluster = await ownCluster({ replicas: 1, nodeTimeoutMs: 1000 });
    const slot = await fill(cluster, "killed");
    const owner = await cluster.owner(slot);
    await owner.admin.wait(1, 0);
    await owner.server.kill9();
    const successor = await cluster.owner(slot, [owner]);
    expect(successor.name).not.toBe(owner.name);
    await owner.server.restart();
    await cluster.awaitHealth();
    expect(await successor.admin.get("{killed}9")).toBe("9");
    expect(names(await cluster.replicasOf(successor))).toEqual([owner.name]);
  });

  test("replaces a partitioned primary, which rejects clients after a while and follows in the end", async () => {
    const cluster = await ownCluster({ replicas: 1, nodeTimeoutMs: 3000, openProxy });
    const slot = await fill(cluster, "apart");
    const owner = await cluster.owner(slot);
    await owner.admin.wait(1, 0);
    const client = connection(owner.announced.port);
    onTestFinished(() => client.disconnect());
    await client.ping();
    await cluster.partition([owner], false);
    expect(await client.set("{apart}0", "lost")).toBe("OK");
    const successor = await cluster.owner(slot, [owner]);
    await expect.poll(() => client.set("{apart}0", "rejected").catch(String)).toContain("CLUSTERDOWN");
    cluster.heal();
    await cluster.awaitHealth();
    expect((await cluster.owner(slot)).name).toBe(successor.name);
    expect(await successor.admin.get("{apart}0")).toBe("0");
    expect(names(await cluster.replicasOf(successor))).toEqual([owner.name]);
  });
});
