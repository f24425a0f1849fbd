import { beforeAll, expect, test } from "vitest";
import { allRules } from "../../src/doctor/permissions/acl.js";
import { built } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { agentCommandLine, type CommandLine, commandLine, jsonError } from "../helpers/command-line.js";
import { startLatchkey } from "../helpers/long-run.js";
import { useValkey } from "../helpers/valkey.js";

beforeAll(built);

/** Creates the agents a1 and a2 and removes the index entry of a1. */
async function damaged(): Promise<CommandLine> {
  const line = await agentCommandLine();
  await line.agents.create("a1");
  await line.agents.create("a2");
  const valkey = await admin();
  await valkey.zrem(`{${line.namespace}:0}:agent:index`, "a1");
  return line;
}

/** Deletes the log of a2, and adds a field that the event log does not contain. */
async function loseLog({ namespace }: CommandLine): Promise<void> {
  const valkey = await admin();
  await valkey.del(`{${namespace}:0}:agent:log:a2`);
  await valkey.hset(`{${namespace}:0}:agent:id:a2`, "byHand", "1");
}

test("reports a clean machine and exits 0", async () => {
  const { run, agents } = await agentCommandLine();
  await agents.create("a1");
  expect(await run(["fsck"])).toEqual({
    exit: 0,
    stdout: "",
    stderr: "machine/agent is clean (1 entity, 1 event, 1 partition)\n",
  });
  expect(await run(["fsck", "-o", "jsonl"])).toMatchObject({ exit: 0, stdout: "" });
});

test("prints one line for each problem and exits 1, and repairs it with --repair", async () => {
  const { run } = await damaged();
  const found = await run(["fsck"]);
  expect(found).toMatchObject({
    exit: 1,
    stderr: "machine/agent has 1 problem: 1 repairable with --repair (2 entities, 2 events, 1 partition)\n",
  });
  expect(found.stdout.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
    ["KIND", "ID", "RESULT", "WHAT"],
    ["index-missing", "a1", "repairable", "the entity has no index entry; --repair fixes it"],
    [""],
  ]);
  expect(await run(["fsck", "--repair"])).toMatchObject({
    exit: 0,
    stdout: expect.stringMatching(/^index-missing +a1 +repaired +the entity has no index entry$/m),
    stderr: "machine/agent is clean: 1 repaired (2 entities, 2 events, 1 partition)\n",
  });
  expect(await run(["fsck"])).toMatchObject({ exit: 0, stdout: "" });
});

test.each([
  [[], 1],
  [["--repair", "-o", "jsonl"], 0],
])("fsck %j runs to completion if the output pipe closes, with the same exit code", async (words, exit) => {
  const { env, run } = await damaged();
  const unread = await startLatchkey(["fsck", ...words], env);
  unread.child.stdout?.destroy();
  const ended = await unread.ended;
  expect(ended.exit).toBe(exit);
  expect(ended.stderr).toMatch(
    /^machine\/agent (has 1 problem|is clean): 1 .* \(2 entities, 2 events, 1 partition\)\n$/,
  );
  expect((await run(["fsck"])).exit).toBe(exit);
});

test("does not count removed entities", async () => {
  const { run, agents } = await agentCommandLine();
  await agents.create("a1");
  await agents.create("a2");
  await agents.remove("a1");
  expect((await run(["fsck"])).stderr).toBe("machine/agent is clean (1 entity, 3 events, 1 partition)\n");
});

test("explains why a problem cannot be repaired, and exits 1 with --repair as well", async () => {
  const line = await damaged();
  await loseLog(line);
  const { exit, stdout, stderr } = await line.run(["fsck", "--repair"]);
  expect(exit).toBe(1);
  expect(stdout).toMatch(/^index-missing +a1 +repaired /m);
  expect(stdout).toMatch(
    /^log-missing +a2 +manual +the entity has no log; fsck cannot reconstruct its changes; /m,
  );
  expect(stderr).toContain("has 2 problems: 1 repaired, 2 manual");
});

test("prints one report as JSON, and one finding per line as JSON lines", async () => {
  const line = await damaged();
  const key = `{${line.namespace}:0}:agent:index`;
  const message = "the entity has no index entry";
  const finding = { kind: "index-missing", id: "a1", partition: 0, key, message, result: "repairable" };
  const { exit, stdout } = await line.run(["fsck", "--deep", "-o", "json"]);
  expect(exit).toBe(1);
  expect(JSON.parse(stdout)).toEqual({
    ...{ machine: "agent", namespace: line.namespace, partitions: 1, skipped: 0, entities: 2, events: 2 },
    ...{ repaired: 0, repairable: 1, manual: 0, notice: 0, unchecked: 0 },
    findings: [{ ...finding, why: "--repair fixes it" }],
  });
  const lines = await line.run(["fsck", "--repair", "-o", "jsonl"]);
  expect(lines.exit).toBe(0);
  expect(
    lines.stdout
      .trim()
      .split("\n")
      .map((one) => JSON.parse(one)),
  ).toEqual([{ ...finding, result: "repaired" }]);
});

/** Creates a reader of the namespace, and returns its environment. */
async function readerOf({ namespace }: CommandLine): Promise<NodeJS.ProcessEnv> {
  const rules = allRules({ roles: ["reader"], namespace });
  await (await admin()).call("ACL", "SETUSER", namespace, "reset", "on", ">few", ...rules);
  const { hostname, port } = new URL((await useValkey()).url);
  return { LATCHKEY_URL: `valkey://${namespace}@${hostname}:${port}`, LATCHKEY_PASSWORD: "few" };
}

test("--repair exits 7 for a user who may not repair, also without a problem, and changes nothing", async () => {
  const line = await agentCommandLine();
  await line.agents.create("a1");
  const env = await readerOf(line);
  const clean = await line.run(["fsck", "--repair"], env);
  expect(clean).toMatchObject({ exit: 7, stdout: "" });
  expect(clean.stderr).toContain(
    "error: fsck agent cannot repair: this user lacks the permissions of an operator",
  );
  await (await admin()).zrem(`{${line.namespace}:0}:agent:index`, "a1");
  expect(await line.run(["fsck", "--repair"], env)).toEqual(clean);
  expect(await line.run(["fsck"])).toMatchObject({ exit: 1, stdout: expect.stringContaining("repairable") });
});

test("reports checks that the user lacks permissions for, and exits 0", async () => {
  const line = await agentCommandLine();
  await line.agents.create("a1");
  const { exit, stdout, stderr } = await line.run(["fsck", "--deep"], await readerOf(line));
  expect(stdout).toMatch(
    /^unchecked +<none> +unchecked +the installed machine was not compared with its definition: /m,
  );
  expect(stdout).toMatch(/^unchecked +<none> +unchecked +the keys of the server were not scanned: /m);
  expect([exit, stderr]).toEqual([
    0,
    "machine/agent is clean: 2 checks not possible (1 entity, 1 event, 1 partition)\n",
  ]);
});

test("escapes control characters of an id", async () => {
  const line = await agentCommandLine();
  await (await admin()).zadd(`{${line.namespace}:0}:agent:index`, 1, "a\u001b[2J");
  const { stdout } = await line.run(["fsck"]);
  expect(stdout).toContain("index-orphan");
  expect(stdout).not.toContain("\u001b");
});

test("exits 4 without a machine, 7 without a server, and 2 for an invalid name", async () => {
  const { run } = await commandLine();
  const nothing = await run(["fsck", "-o", "json"]);
  expect(nothing).toMatchObject({ exit: 4, stdout: "" });
  const hint = expect.stringMatching(/^node bin\/latchkey\.js apply$/);
  expect(jsonError(nothing)).toMatchObject({ code: "NOMACHINE", hint });
  const order = await run(["fsck", "-m", "order"]);
  expect(order.stderr).toMatch(/\n {2}try: node bin\/latchkey\.js apply -f order\.yaml\n$/);
  expect(await run(["fsck", "--url", "valkey://127.0.0.1:1"])).toMatchObject({ exit: 7, stdout: "" });
  expect(await run(["fsck", "-m", "No Name"])).toMatchObject({ exit: 2, stdout: "" });
});
