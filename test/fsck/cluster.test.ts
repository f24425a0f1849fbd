import { beforeAll, describe, expect, test } from "vitest";
import type { Finding } from "../../src/fsck/finding.js";
import { type FsckOptions, type FsckProgress, fsck } from "../../src/fsck/fsck.js";
import { agent, connect, partitionOf } from "../../src/index.js";
import { Deadline } from "../../src/valkey/deadline.js";
import { built, root } from "../helpers/built.js";
import { useCluster } from "../helpers/cluster.js";
import { connected } from "../helpers/doctor.js";
import { isInside, MANY, movingSlot } from "../helpers/moving-slot.js";
import { tryRun } from "../helpers/run.js";
import { freshNamespace } from "../helpers/valkey.js";

beforeAll(built);

const PARTITIONS = 8;
const soon = Deadline.in(120_000);
const IDS = Array.from({ length: 24 }, (_, at) => `a-${at}`);

/** Creates agents in all partitions of a namespace on the cluster. */
async function agents() {
  const { url } = await useCluster();
  const namespace = freshNamespace();
  const latchkey = await connect({ url, namespace });
  await latchkey.init(PARTITIONS);
  const entities = await latchkey.machine(agent());
  for (const id of IDS) await entities.create(id, { taskId: "t" });
  await latchkey.close();
  const connection = await connected({ url });
  for (const id of IDS)
    await connection.of(`{${namespace}:${partitionOf(id, PARTITIONS)}}:x`).untilReady(soon);
  const run = async (options: FsckOptions = {}) => {
    const findings: Finding[] = [];
    const steps = fsck(connection, namespace, "agent", options);
    for (;;) {
      const step = await steps.next();
      if (step.done === true) return { findings, checked: step.value };
      findings.push(step.value);
    }
  };
  const key = (id: string, rest: string): string =>
    `{${namespace}:${partitionOf(id, PARTITIONS)}}:agent:${rest}`;
  return { connection, namespace, run, key };
}

describe("fsck on a cluster", () => {
  test("checks all partitions, at the server of each", async () => {
    const { run, connection, namespace } = await agents();
    const servers = new Set(
      Array.from({ length: PARTITIONS }, (_, at) => connection.of(`{${namespace}:${at}}:machines`).address),
    );
    expect(servers.size).toBe(3);
    expect(await run({ deep: true })).toEqual({
      findings: [],
      checked: { partitions: PARTITIONS, skipped: 0, entities: IDS.length, events: IDS.length },
    });
  });

  test("repairs damage at every server", async () => {
    const { run, key, connection } = await agents();
    for (const id of IDS) await connection.of(key(id, "index")).client.zrem(key(id, "index"), id);
    const broken = (await run()).findings;
    expect(broken.map(({ id }) => id).sort()).toEqual([...IDS].sort());
    const repaired = (await run({ repair: true })).findings;
    expect(new Set(repaired.map(({ result }) => result))).toEqual(new Set(["repaired"]));
    expect((await run()).findings).toEqual([]);
  });

  test("finds entities that only a scan of the keys of their server finds", async () => {
    const { run, key, connection } = await agents();
    const [id = ""] = IDS;
    const { client } = connection.of(key(id, "index"));
    await client.zrem(key(id, "index"), id);
    await client.del(key(id, "events"));
    expect((await run({ deep: true })).findings.map((finding) => finding.id)).toContain(id);
  });

  test("follows a partition that moves to another server during the check", async () => {
    const { run, key } = await agents();
    const cluster = await useCluster();
    const [id = ""] = IDS;
    const slot = await cluster.slotOf(key(id, "index"));
    const from = await cluster.owner(slot);
    const [to = from] = (await cluster.primaries()).filter((node) => node !== from);
    let moving: Promise<void> | undefined;
    const onProgress = ({ partition }: FsckProgress): void => {
      if (partition === partitionOf(id, PARTITIONS)) moving ??= cluster.moveSlot(slot, to);
    };
    const { findings, checked } = await run({ onProgress });
    await moving;
    expect({ findings, entities: checked.entities }).toEqual({ findings: [], entities: IDS.length });
    expect(await cluster.owner(slot)).toBe(to);
  });

  test("reports a partition whose slot moves key by key as not checked, and checks the others", async () => {
    const { cluster, latchkey, migration, finish } = await movingSlot();
    await migration.moveKeys(10);
    const connection = await connected({ url: cluster.url, timeout: "1s" });
    const check = async () => {
      const steps = fsck(connection, latchkey.namespace, "order");
      const findings: Finding[] = [];
      for (let step = await steps.next(); ; step = await steps.next()) {
        if (step.done === true) return { findings, checked: step.value };
        findings.push(step.value);
      }
    };
    const others = MANY.filter((id) => !isInside(id));
    const halfway = await check();
    expect(halfway.checked).toEqual({
      partitions: 3,
      skipped: 1,
      entities: others.length,
      events: others.length,
    });
    expect(halfway.findings.map(({ partition, result, message }) => [partition, result, message])).toEqual([
      [
        0,
        "unchecked",
        expect.stringMatching(
          `^partition 0 was not checked: its slot ${migration.slot} is moving to another node \\((ASK|TRYAGAIN)\\)$`,
        ),
      ],
    ]);
    const command = [
      "bin/latchkey.js",
      "fsck",
      "-m",
      "order",
      "--namespace",
      latchkey.namespace,
      "--timeout",
      "1s",
    ];
    const ended = await tryRun(process.execPath, command, {
      cwd: root,
      env: { PATH: process.env.PATH, LATCHKEY_URL: cluster.url },
    });
    expect([ended.exit, ended.stderr]).toEqual([
      1,
      `machine/order has no problem in what was checked: 1 check not possible (${others.length} entities, ${others.length} events, 3 of 4 partitions)\n`,
    ]);
    await finish();
    expect(await check()).toEqual({
      findings: [],
      checked: { partitions: 4, skipped: 0, entities: MANY.length, events: MANY.length },
    });
  });

  test("reports a partition without the machine", async () => {
    const { run, key, connection } = await agents();
    const [id = ""] = IDS;
    await connection.of(key(id, "machine")).client.del(key(id, "machine"));
    expect((await run()).findings).toContainEqual(
      expect.objectContaining({ partition: partitionOf(id, PARTITIONS), result: "manual" }),
    );
  });
});
