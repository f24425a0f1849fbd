import { describe, expect, it } from "vitest";
import { AtomicMigration } from "../../faults/servers/atomic-migration.js";
import type { ClusterServers } from "../../faults/servers/cluster.js";
import type { ClusterNode } from "../../faults/servers/cluster-node.js";
import type { CheckResult } from "../../src/doctor/check-result.js";
import { type Change, defineMachine, type Entities, partitionOf, type Replay } from "../../src/index.js";
import { all } from "../helpers/client.js";
import { ownCluster } from "../helpers/cluster.js";
import { clusterClient, LONG } from "../helpers/cluster-clients.js";
import { results } from "../helpers/doctor.js";
import { hasAtomicMigration } from "../helpers/server-program.js";

const PARTITIONS = 8;
const SETTINGS = {
  // The tests stop migrations in the middle, which must not end by themselves on a busy machine.
  "enable-debug-command": "yes",
  "repl-timeout": "120",
  "cluster-manual-failover-timeout": "120000",
  "cluster-require-full-coverage": "no",
};

const job = defineMachine({
  name: "job",
  version: 1,
  initial: "waiting",
  states: {
    waiting: { to: ["working"] },
    working: { to: ["waiting", "done"], lease: { for: "1h", to: "waiting" } },
    done: {},
  },
});
type JobState = "waiting" | "working" | "done";
type Jobs = Entities<JobState>;

/** Jobs in a cluster, and the slots of their partitions that one of its primaries holds. */
async function jobsOfOneServer(settings = SETTINGS) {
  const cluster = await ownCluster({ settings });
  const latchkey = await clusterClient(cluster, { timeout: "90s" });
  await latchkey.init(PARTITIONS);
  const { namespace } = latchkey;
  const jobs: Jobs = await latchkey.machine(job);
  const slots = await Promise.all(
    [...Array(PARTITIONS).keys()].map((partition) => cluster.slotOf(`{${namespace}:${partition}}`)),
  );
  const from = await cluster.owner(slots[0] ?? 0);
  const view = await from.view();
  const hot = slots.filter((slot) => view.ownerOf(slot) === from.id);
  const isHot = (id: string): boolean => hot.includes(slots[partitionOf(id, PARTITIONS)] ?? -1);
  const to = cluster.nodes.find((node) => node !== from) ?? from;
  const names = [...Array(60).keys()].map((at) => `j${at}`).filter(isHot);
  await Promise.all(cluster.nodes.map(({ admin }) => admin.config("RESETSTAT")));
  return { cluster, namespace, jobs, from, to, hot, names };
}

/** Formats an accepted change. A replay has no type: its call was repeated, because a reply was lost. */
function nameOf({ id, version, type }: Change<JobState> | Replay<JobState>): string {
  return `${id}@${version} ${type}`;
}

/** Ends jobs one after the other, and notes each accepted change. */
async function work(jobs: Jobs, worker: string, isOver: () => boolean, made: string[]): Promise<void> {
  for (let n = 0; !isOver(); n += 1) {
    const id = `${worker}-${n}`;
    made.push(nameOf(await jobs.create(id, { worker })));
    made.push(nameOf(await jobs.transition(id, "working")));
    await jobs.heartbeat(id, { ifVersion: 2 });
    made.push(nameOf(await jobs.patch(id, { set: { n }, ifVersion: 2 })));
    made.push(nameOf(await jobs.transition(id, "done", { ifState: "working" })));
    if (n % 2 === 0) made.push(nameOf(await jobs.remove(id)));
  }
}

/** Reads the entities of all partitions again and again. */
async function read(jobs: Jobs, isOver: () => boolean): Promise<void> {
  while (!isOver()) await Promise.all([all(jobs.list({ state: "working" })), jobs.count()]);
}

/** Moves slots at once, and waits until all nodes know their new owner. */
async function move(cluster: ClusterServers, slots: readonly number[], from: ClusterNode, to: ClusterNode) {
  await (await AtomicMigration.begin(slots, from, to)).reach("success");
  for (const slot of slots) expect(await cluster.owner(slot)).toBe(to);
}

/** Lets migrations stop before or after the pause of changes, or go on. */
async function stopMigrations({ admin }: ClusterNode, stage: "PAUSE" | "FAILOVER", isStopped: boolean) {
  await admin.call("DEBUG", "SLOTMIGRATION", `PREVENT-${stage}`, isStopped ? 1 : 0);
}

/** Returns the codes of the error replies that the nodes gave since the test began. */
async function errorCodes({ nodes }: ClusterServers): Promise<ReadonlySet<string>> {
  const stats = await Promise.all(nodes.map(({ admin }) => admin.info("errorstats")));
  return new Set([...stats.join("\n").matchAll(/^errorstat_(\w+):/gm)].map(([, code = ""]) => code));
}

/** Returns how many keys of the slots a node has. */
async function keysOf({ admin }: ClusterNode, slots: readonly number[]): Promise<number> {
  const counts = await Promise.all(slots.map((slot) => admin.cluster("COUNTKEYSINSLOT", slot)));
  return counts.reduce<number>((sum, count) => sum + Number(count), 0);
}

/** Returns what the doctor says of keys on nodes that do not hold their slots. */
async function strayKeys(url: string, namespace: string): Promise<CheckResult[]> {
  return (await results({ url, namespace })).filter(({ id }) => id === "cluster/keys");
}

async function logOf(jobs: Jobs): Promise<string[]> {
  return (await all(jobs.events({ after: "start", follow: false }))).map(nameOf);
}

describe.runIf(hasAtomicMigration)("an atomic move of hot slots", () => {
  it("there and back under load loses and repeats nothing, and no call fails", async () => {
    const { cluster, namespace, jobs, from, to, hot, names } = await jobsOfOneServer();
    // Large values, so that the copy takes some time.
    const ballast = [...Array(32).keys()].map((at) => `{${namespace}:0}:ballast:${at}`);
    await Promise.all(ballast.map((key) => from.admin.set(key, "x".repeat(1_000_000))));
    const other: Jobs = await (await clusterClient(cluster, { namespace, timeout: "90s" })).machine(job);
    const made: string[] = [];
    const heard = new Set<string>();
    const followed: string[] = [];
    const handled: string[] = [];
    const subscription = await other.subscribe((change) => void heard.add(nameOf(change)));
    const stop = new AbortController();
    const following = (async () => {
      for await (const change of other.events({ after: "start", signal: stop.signal }))
        followed.push(nameOf(change));
    })();
    const reactions = await Promise.all(
      [jobs, other].map((one) => one.react("r", (change) => void handled.push(nameOf(change)))),
    );
    const [held = ""] = names;
    made.push(nameOf(await jobs.create(held)), nameOf(await jobs.transition(held, "working")));
    const hold = await jobs.hold(held, { version: 2 });

    let isOver = false;
    const workers = [...Array(8).keys()].map((at) =>
      work(at % 2 === 0 ? jobs : other, `w${at}`, () => isOver, made),
    );
    const reading = read(other, () => isOver);
    for (const [source, target] of [
      [from, to],
      [to, from],
      [from, to],
      [to, from],
    ] as const) {
      const before = made.length;
      await expect.poll(() => made.length, LONG).toBeGreaterThan(before + 40); // scripts are loaded, calls are in flight
      await move(cluster, hot, source, target);
      const patches: string[] = [];
      const isHeard = async (): Promise<boolean> => {
        const patch = (ifVersion: number) => jobs.patch(held, { set: { at: target.name }, ifVersion });
        patches.push(nameOf(await hold.change(patch)));
        return patches.some((name) => heard.has(name));
      };
      await expect.poll(isHeard, LONG).toBe(true); // by the subscriber, after the move
      made.push(...patches);
    }
    isOver = true;
    await Promise.all([...workers, reading]);

    const log = (await logOf(jobs)).sort();
    expect(log).toEqual([...made].sort());
    expect(hold.signal.aborted).toBe(false);
    await expect.poll(() => followed.length, LONG).toBeGreaterThanOrEqual(log.length);
    expect([...followed].sort()).toEqual(log);
    await expect.poll(() => handled.length, LONG).toBeGreaterThanOrEqual(log.length);
    expect([...handled].sort()).toEqual(log);
    expect(handled.filter((name) => name.startsWith(`${held}@`))).toEqual(
      made.filter((name) => name.startsWith(`${held}@`)),
    );
    const codes = await errorCodes(cluster);
    expect(codes).toContain("MOVED");
    expect(["ASK", "TRYAGAIN", "CLUSTERDOWN"].filter((code) => codes.has(code))).toEqual([]);
    await Promise.all([hold, subscription, ...reactions].map((one) => one.close()));
    stop.abort();
    await following;
  });

  it("takes along changes made during the copy; changes during its pause wait, and reads of others do not", async () => {
    const { cluster, namespace, jobs, from, to, hot, names } = await jobsOfOneServer();
    const reader: Jobs = await (await clusterClient(cluster, { namespace, timeout: "90s" })).machine(job);
    const [first = "", second = "", third = "", fourth = "", late = ""] = names;
    const made = await Promise.all([first, second, third].map((id) => jobs.create(id)));
    await stopMigrations(from, "PAUSE", true);
    await stopMigrations(to, "FAILOVER", true);
    const migration = await AtomicMigration.begin(hot, from, to);
    await migration.reach("waiting-to-pause");
    made.push(
      await jobs.create(fourth),
      await jobs.transition(first, "working"),
      await jobs.patch(second, { set: { at: "copy" } }),
      await jobs.remove(third),
    );
    await stopMigrations(from, "PAUSE", false);
    await migration.reach("failover-granted");
    const waiting = Promise.all([
      jobs.create(late),
      jobs.transition(first, "done"),
      jobs.heartbeat(first),
      jobs.patch(second, { set: { at: "pause" } }),
      jobs.remove(fourth),
    ]);
    await expect.poll(async () => from.admin.info("clients"), LONG).toMatch(/^blocked_clients:[1-9]/m);
    expect(await reader.get(first)).toMatchObject({ state: "working", version: 2 });
    expect(await reader.get(second)).toMatchObject({ version: 2, at: "copy" });
    expect(await reader.get(late)).toBeNull();
    await stopMigrations(to, "FAILOVER", false);
    await migration.reach("success");
    const [created, done, , patched, removed] = await waiting;
    made.push(created, done, patched, removed);
    expect(await reader.get(second)).toMatchObject({ version: 3, at: "pause" });
    expect((await logOf(reader)).sort()).toEqual(made.map(nameOf).sort());
    for (const slot of hot) expect(await cluster.owner(slot)).toBe(to);
    await expect.poll(() => keysOf(from, hot), LONG).toBe(0);
  });

  it("that is cancelled changes nothing, and can be repeated", async () => {
    const { cluster, namespace, jobs, from, to, hot, names } = await jobsOfOneServer();
    const made = await Promise.all(names.map((id) => jobs.create(id)));
    await stopMigrations(from, "PAUSE", true);
    const migration = await AtomicMigration.begin(hot, from, to);
    await migration.reach("waiting-to-pause");
    expect(await keysOf(to, hot)).toBeGreaterThan(0);
    expect(await strayKeys(cluster.url, namespace)).toMatchObject([{ level: "ok" }]);
    made.push(...(await Promise.all(names.map((id) => jobs.transition(id, "working")))));
    await migration.cancel();
    for (const slot of hot) expect(await cluster.owner(slot)).toBe(from);
    await expect.poll(() => keysOf(to, hot), LONG).toBe(0);
    expect(await jobs.count()).toEqual({ waiting: 0, working: names.length, done: 0 });
    made.push(...(await Promise.all(names.map((id) => jobs.patch(id, { set: { at: "cancelled" } })))));
    expect((await logOf(jobs)).sort()).toEqual(made.map(nameOf).sort());
    expect(await errorCodes(cluster)).not.toContain("MOVED");
    await stopMigrations(from, "PAUSE", false);
    await move(cluster, hot, from, to);
    made.push(...(await Promise.all(names.map((id) => jobs.transition(id, "done")))));
    expect((await logOf(jobs)).sort()).toEqual(made.map(nameOf).sort());
  });

  it("to a server that is killed meanwhile changes nothing", async () => {
    const { cluster, jobs, from, to, hot, names } = await jobsOfOneServer();
    await Promise.all(names.map((id) => jobs.create(id)));
    await stopMigrations(from, "PAUSE", true);
    const migration = await AtomicMigration.begin(hot, from, to);
    await migration.reach("waiting-to-pause");
    await Promise.all(names.map((id) => jobs.transition(id, "working")));
    await to.server.kill9();
    await stopMigrations(from, "PAUSE", false);
    await migration.reach("failed");
    const done = await Promise.all(names.map((id) => jobs.transition(id, "done")));
    expect(done.map(({ version }) => version)).toEqual(names.map(() => 3));
    for (const slot of hot) expect(await cluster.owner(slot)).toBe(from);
  });
});
