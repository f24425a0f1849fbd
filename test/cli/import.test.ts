import { beforeAll, describe, expect, test } from "vitest";
import type { StoredAgent } from "../../demo/replaced-service.js";
import { AgentLifecycle } from "../../src/index.js";
import { built } from "../helpers/built.js";
import { commandLine, jsonError } from "../helpers/command-line.js";
import { unchanged } from "../helpers/keyspace.js";
import { makeAgents, type ReplacedAgents, replacedAgents } from "../helpers/replaced-agents.js";
import { run } from "../helpers/run.js";

beforeAll(built);

const NO_TEXT = "imported without an error text";

/** Sorts agents by their ID. */
function sorted<T extends { readonly agentId: string }>(agents: readonly T[]): T[] {
  return [...agents].sort((a, b) => (a.agentId < b.agentId ? -1 : 1));
}

/** Imports one agent that the service has spawned and moved to running. */
async function oneImported(): Promise<ReplacedAgents> {
  const line = await replacedAgents();
  await line.service.registerSpawnedAgent("a1", "t1");
  await line.service.transitionToRunning("a1");
  expect(await line.load()).toMatchObject({ exit: 0 });
  return line;
}

describe("import --from-service", () => {
  test("imports agents of every state with their stamps and fields, and changes no old key", async () => {
    const { service, agents, valkey, key, load } = await replacedAgents();
    await makeAgents(service);
    const old = sorted(await service.listAgentLifecycleStates());
    const texts = await valkey.mget(old.map(({ agentId }) => key(agentId)));
    const { exit, stdout, stderr } = await load();
    expect({ exit, stdout: stdout.split("\n").map((line) => line.split(/ {3,}/)) }).toEqual({
      exit: 0,
      stdout: [
        ["KEY", "RESULT", "WHAT"],
        [key("failed"), "imported", `error was missing; it is "${NO_TEXT}"`],
        [""],
      ],
    });
    expect(stderr).toContain("machine/agent: 6 imported (6 keys)\n");
    const expected = old.map((one) => (one.agentId === "failed" ? { ...one, error: NO_TEXT } : one));
    const lifecycle = new AgentLifecycle(agents);
    expect(sorted(await lifecycle.listAgentLifecycleStates())).toEqual(expected);
    expect(await valkey.mget(old.map(({ agentId }) => key(agentId)))).toEqual(texts);
    for (const { agentId, startedAt, completedAt } of old) {
      const entity = await agents.get(agentId);
      const since = completedAt ?? startedAt ?? entity?.since;
      expect(entity).toMatchObject({ version: 1, since, createdAt: startedAt ?? since });
      const [only, ...more] = await agents.history(agentId);
      expect(more).toEqual([]);
      expect(only).toMatchObject({ type: "agent.restored", reason: `imported from ${key(agentId)}` });
      expect(only?.actor).toMatch(/^cli:/);
    }
  });

  test("leaves a machine that fsck finds clean, and agents that go on", async () => {
    const { service, agents, load, run } = await replacedAgents();
    await makeAgents(service);
    await load("--actor", "ann");
    const started = (await agents.get("running"))?.startedAt;
    await agents.transition("running", "completed");
    expect(await agents.get("running")).toMatchObject({ startedAt: started, version: 2 });
    expect((await agents.history("running"))[0]?.actor).toBe("ann");
    expect(await run(["fsck", "--deep"])).toMatchObject({ exit: 0, stdout: "" });
  });

  test("with --dry-run prints the same and writes nothing", async () => {
    const line = await replacedAgents();
    await makeAgents(line.service);
    const dry = await unchanged(line, () => line.load("--dry-run"));
    const real = await line.load();
    expect(dry).toEqual({ ...real, stderr: "machine/agent: 6 imported (6 keys, dry run)\n" });
  });

  test("with -o json prints one report, with -o jsonl one line for each agent that needs attention", async () => {
    const { service, namespace, pattern, key, load } = await replacedAgents();
    await makeAgents(service);
    const finding = { key: key("failed"), result: "imported", message: expect.stringContaining(NO_TEXT) };
    const lines = await load("--dry-run", "-o", "jsonl");
    expect(
      lines.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([finding]);
    const { exit, stdout } = await load("-o", "json");
    expect(exit).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      ...{ machine: "agent", namespace, pattern, dryRun: false, keys: 6 },
      ...{ imported: 6, updated: 0, skipped: 0, removed: 0, conflict: 0, invalid: 0 },
      findings: [finding],
    });
  });

  test("prints a command that deletes the old keys and nothing else", async () => {
    const { service, agents, valkey, key, pattern, load } = await replacedAgents();
    await makeAgents(service);
    const others = [pattern.replace("*", ""), `${key("x")}s`.replace(":agent:", ":agents:"), "old"];
    for (const other of others) await valkey.set(other, "");
    await valkey.del(pattern.replace("*", "")); // it matches, so it would be invalid
    const { stderr } = await load();
    const [, command = ""] = /^ {2}(valkey-cli .*)$/m.exec(stderr) ?? [];
    await run("sh", ["-c", command], { cwd: "/" });
    expect(await service.listAgentLifecycleStates()).toEqual([]);
    expect(await valkey.exists(...others.slice(1))).toBe(2);
    expect(await agents.count()).toMatchObject({
      spawning: 1,
      running: 1,
      completed: 1,
      failed: 2,
      killed: 1,
    });
    expect(await load()).toMatchObject({ exit: 4, stdout: "" });
  });
});

describe("a further import", () => {
  test("skips what was imported, whatever happened to it here, and changes nothing", async () => {
    const line = await oneImported();
    await line.service.registerSpawnedAgent("a2", "t2");
    await line.load();
    await line.agents.transition("a2", "running");
    for (let n = 0; n < 20; n += 1) await line.agents.patch("a1", { set: { n } });
    const { exit, stdout, stderr } = await unchanged(line, () => line.load());
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: "" });
    expect(stderr).toContain("machine/agent: 2 skipped (2 keys)\n");
  });

  test("takes what old replicas have written since: new agents, and changes of agents that did not change here", async () => {
    const { service, agents, load, run } = await oneImported();
    await service.registerSpawnedAgent("a2", "t2");
    await service.transitionToCompleted("a1");
    const dry = await load("--dry-run");
    expect(dry.stderr).toBe("machine/agent: 1 imported, 1 updated (2 keys, dry run)\n");
    expect((await agents.get("a1"))?.state).toBe("running");
    const { exit, stderr } = await load();
    expect(exit).toBe(0);
    expect(stderr).toContain("machine/agent: 1 imported, 1 updated (2 keys)\n");
    const old = await service.getAgentLifecycleState("a1");
    expect(await new AgentLifecycle(agents).getAgentLifecycleState("a1")).toEqual(old);
    expect(await agents.get("a1")).toMatchObject({ version: 1, since: old?.completedAt });
    expect((await load()).stderr).toContain("2 skipped");
    expect(await run(["fsck"])).toMatchObject({ exit: 0, stdout: "" });
  });

  test("skips an agent that was created here with the same content", async () => {
    const line = await replacedAgents();
    await line.service.registerSpawnedAgent("a1", "t1", { n: 1, host: { a: null } });
    const fields = { metadata: { host: { a: null }, n: 1 }, taskId: "t1", agentId: "a1" };
    await line.agents.create("a1", fields);
    expect((await unchanged(line, () => line.load())).stderr).toContain("machine/agent: 1 skipped (1 key)\n");
  });

  test("rejects an agent that changed both here and in the service: 6", async () => {
    const line = await oneImported();
    const { service, agents, key, load } = line;
    await agents.transition("a1", "failed", { set: { error: "exit 1" } });
    await service.transitionToCompleted("a1");
    const { exit, stdout, stderr } = await unchanged(line, () => load("-o", "jsonl"));
    expect({ exit, row: JSON.parse(stdout) }).toEqual({
      exit: 6,
      row: {
        ...{ key: key("a1"), result: "conflict" },
        message: "the agent has changed here (failed, version 2) and in the service since it was imported",
      },
    });
    expect(stderr).toContain("The old keys are unchanged. 1 of them was not imported.\n");
  });

  test("rejects an agent whose ID was created here with other content: 6", async () => {
    const line = await replacedAgents();
    await line.service.registerSpawnedAgent("a1", "t1");
    await line.agents.create("a1", { agentId: "a1", taskId: "t2" });
    const { exit, stdout } = await unchanged(line, () => line.load());
    expect(exit).toBe(6);
    expect(stdout).toContain("the ID exists with other content (spawning, version 1)");
  });

  test("does not bring back an agent that was removed here, unless it is asked to", async () => {
    const line = await oneImported();
    await line.agents.remove("a1");
    const { exit, stdout } = await unchanged(line, () => line.load());
    expect(exit).toBe(0);
    expect(stdout).toMatch(/ removed +removed here at \d{4}-.*; --include-removed imports it again$/m);
    expect((await line.load("--include-removed")).stderr).toContain("1 imported");
    expect(await line.agents.get("a1")).toMatchObject({ state: "running", version: 1 });
  });
});

const whole: StoredAgent = { agentId: "a1", taskId: "t1", status: "spawning" };
const json = (more: object): string => JSON.stringify({ ...whole, ...more });

/** Values that cannot be imported, with their IDs and the reasons. */
const INVALID: readonly (readonly [id: string, value: string | Buffer, why: string])[] = [
  ["syntax", "{", "not JSON"],
  ["list", "[1]", "not a JSON object"],
  ["empty", "", "not JSON"],
  ["bytes", Buffer.from([0x22, 0xff, 0x22]), "not valid UTF-8"],
  ["nobody", '{"taskId":"t1","status":"spawning"}', "agentId is missing"],
  ["other", json({ agentId: "a2" }), 'agentId is "a2", but the key names "other"'],
  ["a 1", json({ agentId: "a 1" }), 'id "a 1" must be 1 to 128 letters'],
  ["x".repeat(129), json({ agentId: "x".repeat(129) }), "must be 1 to 128 letters"],
  ["stateless", '{"agentId":"stateless"}', "status is missing"],
  ["misspelt", json({ agentId: "misspelt", status: "runing" }), '"runing"; did you mean "running"?'],
  ["zombie", json({ agentId: "zombie", status: "zombie" }), 'unknown status "zombie"; use spawning, running'],
  ["listed", json({ agentId: "listed", status: ["running"] }), "status must be text, not an array"],
  ["untimely", json({ agentId: "untimely", startedAt: "today" }), 'startedAt is not a time: "today"'],
  ["ancient", json({ agentId: "ancient", status: "killed", completedAt: "1999-01-01T00:00:00Z" }), "2001"],
  ["reserved", json({ agentId: "reserved", version: 3 }), '"version" cannot be a field name'],
  ["large", json({ agentId: "large", metadata: "x".repeat(65_535) }), "metadata is longer than 65536 bytes"],
  ["rounded", '{"agentId":"rounded","status":"spawning","n":12345678901234567890}', "would lose digits"],
  ["half", json({ agentId: "half", taskId: "\ud83d" }), "taskId: contains half of a surrogate pair"],
];

test("values that cannot be imported are reported with key and reason and stay, and the others are imported: 1", async () => {
  const { service, agents, valkey, key, load } = await replacedAgents();
  await service.registerSpawnedAgent("b1", "t1");
  for (const [id, value] of INVALID) await valkey.set(key(id), value);
  await valkey.hset(key("hash"), "status", "running");
  const expected = new Map(INVALID.map(([id, , why]) => [key(id), expect.stringContaining(why)]));
  expected.set(key("hash"), "the key does not hold a string");
  for (const words of [["--dry-run"], []]) {
    const { exit, stdout, stderr } = await load(...words, "-o", "jsonl");
    expect(exit).toBe(1);
    const rows = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(rows.every(({ result }) => result === "invalid")).toBe(true);
    expect(new Map(rows.map((row) => [row.key, row.message]))).toEqual(expected);
    expect(stderr).toContain(
      `machine/agent: 1 imported, ${expected.size} invalid (${expected.size + 1} keys`,
    );
    expect(stderr).not.toContain("UNLINK");
  }
  for (const [id, value] of INVALID) expect(await valkey.getBuffer(key(id))).toEqual(Buffer.from(value));
  expect(await valkey.hgetall(key("hash"))).toEqual({ status: "running" });
  expect(await agents.count()).toMatchObject({ spawning: 1, running: 0, killed: 0 });
  expect(await agents.get("b1")).not.toBeNull();
});

test("a value of other programs keeps its further members; null stamps are absent, and wrong clocks are corrected", async () => {
  const { agents, valkey, key, load } = await replacedAgents();
  const [late, later] = ["2026-02-02T10:00:00+01:00", "2026-02-03T10:00:00Z"];
  const values = {
    early: { status: "running", startedAt: later, createdAt: late, completedAt: null, error: null, pid: 7 },
    skewed: { status: "killed", startedAt: later, completedAt: late },
    ahead: { status: "killed", startedAt: late, completedAt: "2199-01-01T00:00:00.000Z" },
    bare: { status: "completed" },
  };
  for (const [id, value] of Object.entries(values))
    await valkey.set(key(id), JSON.stringify({ agentId: id, ...value }));
  const { exit, stdout } = await load();
  expect(exit).toBe(0);
  expect(stdout).toContain("completedAt is ahead of the server clock; the agent has been killed since now");
  expect(stdout).toContain("completedAt was missing; it is now");
  const [first, second] = ["2026-02-02T09:00:00.000Z", "2026-02-03T10:00:00.000Z"];
  const early = await agents.get("early");
  expect(early).toMatchObject({ createdAt: first, since: second, startedAt: later, pid: 7 });
  expect(early).not.toHaveProperty("completedAt");
  expect(early).not.toHaveProperty("error");
  expect(await agents.get("skewed")).toMatchObject({ createdAt: first, since: first, startedAt: later });
  const ahead = await agents.get("ahead");
  expect(ahead).toMatchObject({ createdAt: first, completedAt: values.ahead.completedAt });
  const bare = await agents.get("bare");
  expect(Object.keys(bare ?? {})).toContain("completedAt");
  for (const entity of [ahead, bare]) expect((entity?.since ?? "") <= (entity?.timestamp ?? "")).toBe(true);
});

describe("an invalid command line exits 2, and names what is wrong", () => {
  test.each([
    ["without a source", ["import"], "import needs a source"],
    [
      "with a pattern without *",
      ["import", "--from-service", "agents"],
      "must be a key with * in place of the ID",
    ],
    [
      "with a pattern with two *",
      ["import", "--from-service", "a*:*"],
      "must be a key with * in place of the ID",
    ],
    [
      "with the pattern of all keys",
      ["import", "--from-service", "*"],
      "must be a key with * in place of the ID",
    ],
    [
      "with a password file for no server",
      ["import", "--from-service", "--source-password-file", "p"],
      "needs --source-url",
    ],
    [
      "with an invalid URL",
      ["import", "--from-service", "--source-url", "http://h"],
      "unsupported URL scheme",
    ],
  ])("%s", async (_, words, text) => {
    const { run } = await commandLine();
    const ended = await run(words);
    expect(ended).toMatchObject({ exit: 2, stdout: "" });
    expect(ended.stderr).toContain(text);
  });

  test("and the sources are listed", async () => {
    const { run } = await commandLine();
    expect((await run(["import"])).stderr).toMatch(/^ {2}sources:\n {4}--from-service \[pattern\] /m);
    expect(jsonError(await run(["import", "-o", "json"]))).toMatchObject({ code: "USAGE" });
  });
});

test("a pattern that matches no key exits 4, and a machine that is not installed too", async () => {
  const line = await replacedAgents();
  expect(await unchanged(line, () => line.load())).toEqual({
    exit: 4,
    stdout: "",
    stderr: expect.stringContaining(`error: no key matches ${line.pattern}\n`),
  });
  const { run } = await commandLine();
  expect(await run(["import", "--from-service", line.pattern])).toMatchObject({ exit: 4, stdout: "" });
});
