import { beforeAll, describe, expect, test } from "vitest";
import { built, root } from "../helpers/built.js";
import { useCluster } from "../helpers/cluster.js";
import { type Ended, tryRun } from "../helpers/run.js";
import { freshNamespace } from "../helpers/valkey.js";

beforeAll(built);

const IDS = ["a1", "a2", "a3", "a4", "a5", "a6"];

/** The command line in a fresh namespace on the cluster. */
async function onCluster(namespace = freshNamespace()) {
  const { url, nodes } = await useCluster();
  // Completions get the time that a busy machine needs.
  const env = {
    PATH: process.env.PATH,
    LATCHKEY_URL: url,
    LATCHKEY_NAMESPACE: namespace,
    LATCHKEY_COMPLETION_MS: "60000",
  };
  const run = (...words: string[]): Promise<Ended> =>
    tryRun(process.execPath, ["bin/latchkey.js", ...words], { cwd: root, env });
  return { run, namespace, nodes };
}

/** The command line in a namespace with an agent of each ID. */
async function withAgents() {
  const line = await onCluster();
  await line.run("apply");
  for (const id of IDS) expect(await line.run("create", id)).toMatchObject({ exit: 0 });
  return line;
}

describe("the command line on a cluster", () => {
  test("init takes 64 partitions and reports that, once", async () => {
    const { run, namespace } = await onCluster();
    expect(await run("init")).toEqual({
      exit: 0,
      stdout: `namespace/${namespace} initialized: 64 partitions, layout 2\n`,
      stderr: expect.stringContaining("64 partitions are the default on a cluster"),
    });
    expect(await run("init")).toEqual({
      exit: 0,
      stdout: `namespace/${namespace} unchanged: 64 partitions, layout 2\n`,
      stderr: "",
    });
    expect(await run("init", "--partitions", "8")).toMatchObject({ exit: 6 });
    expect(await run("list")).toMatchObject({ exit: 4, stderr: expect.stringContaining("has no machines") });
  });

  test("reads and changes entities of all partitions", async () => {
    const { run } = await withAgents();
    expect((await run("transition", "a1", "running")).exit).toBe(0);
    expect((await run("patch", "a2", "--set", "taskId=t2")).exit).toBe(0);
    expect((await run("remove", "a3")).exit).toBe(0);
    const left = IDS.filter((id) => id !== "a3").map((id) => `agent/${id}`);
    const [names, count, get, history, events, machines, stats, sweep, wait] = await Promise.all([
      run("list", "-o", "name"),
      run("count", "-o", "json"),
      run("get", "a1", "-o", "json"),
      run("history", "a1", "-o", "json"),
      run("events", "-o", "jsonl"),
      run("machines"),
      run("stats", "-o", "json"),
      run("sweep", "--once"),
      run("wait", "a1", "running"),
    ]);
    const ids = names.stdout
      .trim()
      .split("\n")
      .map((line) => line.replace(/^.*\//, "agent/"));
    expect(ids.map((id) => (id.includes("/") ? id : `agent/${id}`)).sort()).toEqual(left);
    expect(JSON.parse(count.stdout)).toMatchObject({ running: 1, spawning: 4 });
    expect(JSON.parse(get.stdout)).toMatchObject({ id: "a1", state: "running", version: 2 });
    expect(JSON.parse(history.stdout)).toHaveLength(2);
    expect(events.stdout.trim().split("\n")).toHaveLength(IDS.length + 3);
    expect(machines.stdout).toMatch(/^agent .* 5$/m);
    expect(JSON.parse(stats.stdout)).toMatchObject({ entities: 5, tombstones: 1 });
    expect([get, history, events, machines, stats, sweep, wait].map(({ exit }) => exit)).toEqual([
      0, 0, 0, 0, 0, 0, 0,
    ]);
  });

  test("completes machines, IDs and states from the servers that hold them", async () => {
    const { run } = await withAgents();
    const [ids, states, machines] = await Promise.all([
      run("__complete", "--", "get", "a"),
      run("__complete", "--", "transition", "a4", ""),
      run("__complete", "--", "list", "-m", ""),
    ]);
    expect(ids.stdout.trim().split("\n")).toEqual(IDS);
    expect(states.stdout).toMatch(/^running$/m);
    expect(states.stdout).not.toMatch(/^spawning$/m);
    expect(machines.stdout.trim()).toBe("agent");
  });

  test("loads the scripts into every primary, and checks every one", async () => {
    const { run, nodes } = await onCluster();
    for (const { admin } of nodes) await admin.script("FLUSH");
    expect((await run("lua", "load")).exit).toBe(0);
    expect((await run("lua", "check", "-o", "json")).stdout).toMatch(
      /"transition","sha1":"\w+","known":true/,
    );
    await nodes[1]?.admin.script("FLUSH");
    expect((await run("lua", "check", "-o", "json")).stdout).toMatch(
      /"transition","sha1":"\w+","known":false/,
    );
  });

  test("fsck and doctor check every server", async () => {
    const { run } = await withAgents();
    const [fsck, doctor] = await Promise.all([run("fsck", "--deep"), run("doctor", "-o", "json")]);
    expect(fsck).toMatchObject({ exit: 0 });
    const { checks } = JSON.parse(doctor.stdout);
    expect(checks).toContainEqual(
      expect.objectContaining({
        id: "cluster/slots",
        level: "ok",
        status: "3 primaries serve all 16384 slots",
      }),
    );
  });

  test("imports the agents of the service from all servers", async () => {
    const { run, namespace } = await onCluster();
    const cluster = await useCluster();
    await run("apply");
    const now = new Date().toISOString();
    for (const id of IDS) {
      const agent = { agentId: id, taskId: "t", status: "spawning", spawnedAt: now };
      const key = `${namespace}:agent:${id}`;
      await (await cluster.ownerOf(key)).admin.set(key, JSON.stringify(agent));
    }
    const imported = await run("import", "--from-service", `${namespace}:agent:*`);
    expect(imported).toMatchObject({ exit: 0 });
    expect(JSON.parse((await run("count", "-o", "json")).stdout)).toMatchObject({ spawning: IDS.length });
  });
});
