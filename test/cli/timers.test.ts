import { spawn } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import { bytesText } from "../../src/cli/actions/stats.js";
import { dueText } from "../../src/cli/output/ages.js";
import { defineMachine, type Entities } from "../../src/index.js";
import { runOut } from "../helpers/age.js";
import { built, root } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { type CommandLine, commandLine, jsonError } from "../helpers/command-line.js";
import { startLatchkey } from "../helpers/long-run.js";
import { startProxy } from "../helpers/proxy.js";
import { useValkey } from "../helpers/valkey.js";

beforeAll(built);

const agent = defineMachine({
  name: "agent",
  version: 2,
  initial: "spawning",
  states: {
    spawning: { to: ["running", "failed"], timeout: { after: "1h", to: "failed" } },
    running: { to: ["completed", "failed"], lease: { for: "45s", to: "failed" } },
    completed: { retain: "7d" },
    failed: {},
  },
});

async function line(): Promise<CommandLine & { agents: Entities }> {
  const its = await commandLine();
  const agents: Entities = await its.latchkey.machine(agent);
  return { ...its, agents };
}

/** Agents that run; those of `over` have lost their lease. */
async function running(
  agents: Entities,
  home: CommandLine,
  ids: string[],
  over: string[] = [],
): Promise<void> {
  for (const id of ids) {
    await agents.create(id);
    await agents.transition(id, "running");
    if (over.includes(id)) await runOut(home.latchkey, agents, id);
  }
}

describe("heartbeat", () => {
  test("renews the lease, and prints its end", async () => {
    const it = await line();
    await running(it.agents, it, ["a1"]);
    const { exit, stdout, stderr } = await it.run(["heartbeat", "a1", "--if-version", "2"]);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    expect(stdout).toMatch(/^agent\/a1 renewed, running, due in 4[45]s \(version 2\)\n$/);
    const json = await it.run(["heartbeat", "a1", "--if-state", "running", "-o", "json"]);
    const { dueAt: _, ...entity } = (await it.agents.get("a1")) ?? {};
    expect(JSON.parse(json.stdout)).toEqual(entity);
  });

  test("prints the current state if it is rejected", async () => {
    const it = await line();
    await running(it.agents, it, ["a1"]);
    const lost = await it.run(["heartbeat", "a1", "--if-version", "1"]);
    expect(lost.exit).toBe(6);
    expect(lost.stderr).toMatch(
      /^error: agent a1 does not match: expected version 1; found state running, version 2$/m,
    );
    await it.agents.transition("a1", "completed");
    const none = await it.run(["heartbeat", "a1", "-o", "json"]);
    expect(none.exit).toBe(5);
    expect(jsonError(none)).toMatchObject({ code: "ILLEGAL", id: "a1", current: { state: "completed" } });
    expect(jsonError(none).message).toMatch(/^agent a1 has no lease to renew: state completed has none /);
    expect((await it.run(["heartbeat", "a2"])).exit).toBe(4);
  });
});

describe("sweep --once", () => {
  test("prints each change, and a summary", async () => {
    const it = await line();
    await running(it.agents, it, ["a1", "a2", "a3"], ["a1", "a3"]);
    const { exit, stdout, stderr } = await it.run(["sweep", "--once"]);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "2 timers fired, 0 entities removed\n" });
    const [head, ...rows] = stdout.trimEnd().split("\n");
    expect(head).toMatch(/^WHEN +ID +TYPE +VERSION +FROM +TO +ACTOR +REASON$/);
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatch(/a1 +agent\.failed +3 +running +failed +latchkey +lease of 45s expired at /);
    expect((await it.run(["sweep", "--once"])).stdout).toBe(`${head}\n`);
    expect(await it.run(["sweep", "--once", "-o", "json"])).toEqual({
      exit: 0,
      stdout: "[]\n",
      stderr: "0 timers fired, 0 entities removed\n",
    });
  });

  test("writes the changes as documents, of all machines or of the one that is named", async () => {
    const it = await line();
    const others: Entities = await it.latchkey.machine({ ...agent, name: "other" });
    await running(it.agents, it, ["a1"], ["a1"]);
    await running(others, it, ["o1"], ["o1"]);
    const one = await it.run(["sweep", "--once", "-m", "other", "-o", "jsonl"]);
    expect(JSON.parse(one.stdout)).toMatchObject({ machine: "other", id: "o1", actor: "latchkey" });
    expect(await it.run(["sweep", "--once", "-o", "name"])).toMatchObject({ exit: 0, stdout: "a1\n" });
  });

  test("reports added timers, and stuck entities", async () => {
    const it = await line();
    await running(it.agents, it, ["a1", "a2"], ["a2"]);
    const valkey = await admin();
    await valkey.zrem(`{${it.namespace}:0}:agent:due`, "a1");
    await valkey.hdel(`{${it.namespace}:0}:agent:id:a2`, "created");
    const { exit, stderr } = await it.run(["sweep", "--once"]);
    expect(exit).toBe(0);
    expect(stderr).toMatch(
      /^stuck: agent\/a2: .*LAYOUT.*\n0 timers fired, 0 entities removed, 1 missing timer added, 1 stuck \(latchkey list --stuck\)\n$/,
    );
  });

  test("fails if its machine is not installed", async () => {
    const it = await line();
    expect(await it.run(["sweep", "--once", "-m", "nothing"])).toMatchObject({ exit: 4, stdout: "" });
  });
});

describe("sweep", () => {
  test("runs until Ctrl-C, and then prints a summary", async () => {
    const it = await line();
    const child = spawn(process.execPath, ["bin/latchkey.js", "sweep", "--interval", "10", "-o", "name"], {
      cwd: root,
      env: it.env,
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (bytes) => {
      stdout += bytes;
    });
    child.stderr.on("data", (bytes) => {
      stderr += bytes;
    });
    const ended = new Promise((resolve) => child.on("close", resolve));
    for (const id of ["a1", "a2"]) {
      await running(it.agents, it, [id], [id]);
      await expect.poll(() => stdout).toContain(`${id}\n`);
    }
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    expect(stderr).toBe("2 timers fired, 0 entities removed\n");
  });

  test("reports once that the server is unreachable, and once that it is back", async () => {
    const it = await line();
    await running(it.agents, it, ["a1"], ["a1"]);
    const proxy = await startProxy(await useValkey());
    const sweeping = await startLatchkey(["sweep", "--interval", "10"], {
      ...it.env,
      LATCHKEY_URL: proxy.url,
    });
    await sweeping.line(/a1/);
    let stderr = "";
    sweeping.child.stderr?.on("data", (text: string) => {
      stderr += text;
    });
    proxy.shut(true);
    proxy.cut();
    await expect
      .poll(() => stderr)
      .toMatch(/^server unreachable, retrying: sweep agent was not answered: .+\n$/);
    proxy.shut(false);
    await expect.poll(() => stderr).toMatch(/\nconnected again; sweeping continues\n$/);
    sweeping.child.kill("SIGINT");
    const ended = await sweeping.ended;
    expect(ended.stderr.match(/\n/g)).toHaveLength(3);
    expect(ended.stdout).toMatch(/^WHEN .*\n.* a1 .*\n$/);
  });

  test("has no end that a JSON array could have", async () => {
    const it = await line();
    const { exit, stderr } = await it.run(["sweep", "-o", "json"]);
    expect(exit).toBe(2);
    expect(stderr).toContain("use -o jsonl");
    expect((await it.run(["sweep", "--interval", "soon"])).exit).toBe(2);
    for (const batch of ["0", "1.5", "1001"]) {
      const ended = await it.run(["sweep", "--once", "--batch", batch]);
      expect(ended).toMatchObject({ exit: 2, stdout: "" });
      expect(ended.stderr).toContain("It must be a whole number from 1 to 1000.");
    }
    const url = "valkey://127.0.0.1:1";
    expect(await it.run(["sweep", "--once", "--url", url])).toMatchObject({ exit: 7, stdout: "" });
  });
});

describe("list", () => {
  test("shows due entities with their due time, and stuck entities", async () => {
    const it = await line();
    await it.agents.create("a0");
    await running(it.agents, it, ["a1", "a2", "a3"], ["a2"]);
    await (await admin()).zrem(`{${it.namespace}:0}:agent:due`, "a3");
    const soon = await it.run(["list", "--due-within", "10m"]);
    expect(soon).toMatchObject({ exit: 0, stderr: "" });
    expect(soon.stdout).toMatch(
      /^ID +STATE +VERSION +AGE +DUE\na2 +running +2 +30d +overdue by 30d\na1 +running +2 +\d+s +in \d\ds\n$/,
    );
    const stuck = await it.run(["list", "--stuck"]);
    expect(stuck.stdout).toMatch(/\na2 +running .* overdue by 30d\na3 +running .* <none>\n$/);
    expect((await it.run(["list", "--stuck", "--limit", "1", "-o", "name"])).stdout).toBe("a2\n");
    expect((await it.run(["list", "--due-within", "2h", "--state", "spawning", "-o", "name"])).stdout).toBe(
      "a0\n",
    );
    expect((await it.run(["list", "--due-within", "soon"])).exit).toBe(2);
  });
});

describe("get", () => {
  test("shows the due time of an entity that has a timer", async () => {
    const it = await line();
    await running(it.agents, it, ["a1"]);
    expect((await it.run(["get", "a1"])).stdout).toMatch(/^Due: {6}\S+Z \(in 4\ds\)$/m);
    await it.agents.transition("a1", "failed");
    expect((await it.run(["get", "a1"])).stdout).not.toContain("Due:");
  });
});

describe("stats", () => {
  test("counts entities by state and those that are due, and shows the memory of each part", async () => {
    const it = await line();
    await running(it.agents, it, ["a1", "a2", "a3"], ["a3"]);
    await it.agents.transition("a1", "failed");
    const { stdout } = await it.run(["stats", "-o", "json"]);
    const found = JSON.parse(stdout);
    expect(found).toMatchObject({
      ...{ machine: "agent", partitions: 1, entities: 3, events: 7 },
      states: { spawning: 0, running: 2, failed: 1, completed: 0 },
      due: { entries: 2, over: 1 },
    });
    const { total, ...parts }: Record<string, { keys: number; bytes: number }> = found.memory;
    expect(Object.entries(parts).map(([part, { keys }]) => [part, keys])).toEqual([
      ["entities", 3],
      ["logs", 3],
      ["index", 1],
      ["due", 1],
      ["events", 1],
      ["reactions", 0],
      ["machine", 1],
    ]);
    const valkey = await admin();
    const keys = await valkey.keys(`{${it.namespace}:0}:agent:*`);
    const bytes = await Promise.all(keys.map((key) => valkey.memory("USAGE", key)));
    expect(total).toEqual({ keys: keys.length, bytes: bytes.reduce((sum: number, n) => sum + (n ?? 0), 0) });
    const table = await it.run(["stats"]);
    expect(table).toMatchObject({ exit: 0, stderr: "" });
    expect(table.stdout).toMatch(/^STATE +COUNT\nspawning +0\nrunning +2\n/);
    expect(table.stdout).toMatch(/\nPART +KEYS +MEMORY +EACH\nentities +3 +\S+ +\d+B\n/);
    expect(table.stdout).toMatch(/\n3 entities, 2 with a timer, 1 overdue\n$/);
  });

  test("shows the average document, and the size at which the event log stops growing", async () => {
    const it = await line();
    const empty = await it.run(["stats"]);
    expect(empty.stdout).toMatch(/\nthe event log keeps 100000 events\n0 entities/);
    const created = await it.agents.create("a1", { text: "x".repeat(2000) });
    const documentBytes = JSON.stringify(created).length;
    expect(JSON.parse((await it.run(["stats", "-o", "json"])).stdout).eventLog).toEqual({
      documentBytes,
      keep: 100_000,
      fullBytes: documentBytes * 120_000,
    });
    const { stdout } = await it.run(["stats"]);
    expect(stdout).toMatch(
      /\nthe event log keeps 100000 events of 2\.\dKiB on average: it stops growing at about 2\d\d\.\dMiB\n/,
    );
  });

  test("counts tombstones of removed ids apart from entities, and takes no sample from them", async () => {
    const it = await line();
    await it.agents.create("a1");
    const tombstones = Array.from({ length: 900 }, (_, n) => [-1024 * (n + 1), `gone${n}`]);
    await (await admin()).zadd(`{${it.namespace}:0}:agent:index`, ...tombstones.flat());
    const {
      entities,
      tombstones: removed,
      memory,
    } = JSON.parse((await it.run(["stats", "-o", "json"])).stdout);
    expect([entities, removed, memory.entities.keys, memory.logs.keys]).toEqual([1, 900, 1, 1]);
    expect(memory.entities.bytes).toBeGreaterThan(100);
    const { stdout } = await it.run(["stats"]);
    expect(stdout).toMatch(/\n1 entity, 1 with a timer, 0 overdue, 900 tombstones of removed IDs\n$/);
  });

  test("stands for more than it weighs", async () => {
    const it = await line();
    const ids = Array.from({ length: 450 }, (_, n) => `a${String(n).padStart(3, "0")}`);
    await Promise.all(ids.map((id) => it.agents.create(id)));
    const { memory } = JSON.parse((await it.run(["stats", "-o", "json"])).stdout);
    const one = Number(await (await admin()).memory("USAGE", `{${it.namespace}:0}:agent:id:a001`));
    expect(memory.entities).toEqual({ keys: 450, bytes: 450 * one });
    expect(memory.logs.keys).toBe(450);
  });

  test("shows a machine without entities", async () => {
    const it = await line();
    const { stdout } = await it.run(["stats"]);
    expect(stdout).toMatch(/\nentities +0 +0B +<none>\n/);
    expect(stdout).toMatch(/\n0 entities, 0 with a timer, 0 overdue\n$/);
  });
});

test.each([
  [0, "0B"],
  [0.4, "0B"],
  [1023, "1023B"],
  [1024, "1.0KiB"],
  [1_610_612_736, "1.5GiB"],
  [2 ** 60, "1048576.0TiB"],
])("writes %d bytes as %s", (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});

test("writes a deadline from now", () => {
  expect(dueText(90_000, 60_000)).toBe("in 30s");
  expect(dueText(60_000, 90_000)).toBe("overdue by 30s");
});
