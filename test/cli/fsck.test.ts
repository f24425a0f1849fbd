import { beforeAll, expect, test } from "vitest";
import { allRules } from "../../src/doctor/rights/lines.js";
import { built } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { agentCommandLine, type CommandLine, commandLine, jsonError } from "../helpers/command-line.js";
import { startLatchkey } from "../helpers/long-run.js";
import { useValkey } from "../helpers/valkey.js";

beforeAll(built);

/** Agents a1 and a2, of which the index has lost a1 and a2's log is gone. */
async function damaged(): Promise<CommandLine> {
  const line = await agentCommandLine();
  await line.agents.create("a1");
  await line.agents.create("a2");
  const valkey = await admin();
  await valkey.zrem(`{${line.namespace}:0}:agent:index`, "a1");
  return line;
}

/** The log of a2, which has a field that the event log knows nothing of. */
async function loseLog({ namespace }: CommandLine): Promise<void> {
  const valkey = await admin();
  await valkey.del(`{${namespace}:0}:agent:log:a2`);
  await valkey.hset(`{${namespace}:0}:agent:id:a2`, "byHand", "1");
}

test("a clean machine is said to be clean, and exits 0", async () => {
  const { run, agents } = await agentCommandLine();
  await agents.create("a1");
  expect(await run(["fsck"])).toEqual({
    exit: 0,
    stdout: "",
    stderr: "machine/agent is clean (1 entity, 1 event, 1 partition)\n",
  });
  expect(await run(["fsck", "-o", "jsonl"])).toMatchObject({ exit: 0, stdout: "" });
});

test("damage is a line each, exits 1, and is mended with --repair", async () => {
  const { run } = await damaged();
  const found = await run(["fsck"]);
  expect(found).toMatchObject({
    exit: 1,
    stderr: "machine/agent has 1 problem: 1 repairable with --repair (2 entities, 2 events, 1 partition)\n",
  });
  expect(found.stdout.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
    ["KIND", "ID", "RESULT", "WHAT"],
    ["index-missing", "a1", "mendable", "the index lacks it; --repair mends it"],
    [""],
  ]);
  expect(await run(["fsck", "--repair"])).toMatchObject({
    exit: 0,
    stdout: expect.stringMatching(/^index-missing +a1 +mended +the index lacks it$/m),
    stderr: "machine/agent is clean: 1 repaired (2 entities, 2 events, 1 partition)\n",
  });
  expect(await run(["fsck"])).toMatchObject({ exit: 0, stdout: "" });
});

test.each([
  [[], 1],
  [["--repair", "-o", "jsonl"], 0],
])("fsck %j goes on to its end without a reader, and exits as with one", async (words, exit) => {
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

test("entities that were removed are not counted", async () => {
  const { run, agents } = await agentCommandLine();
  await agents.create("a1");
  await agents.create("a2");
  await agents.remove("a1");
  expect((await run(["fsck"])).stderr).toBe("machine/agent is clean (1 entity, 3 events, 1 partition)\n");
});

test("what can't be mended says why, and exits 1 with --repair as well", async () => {
  const line = await damaged();
  await loseLog(line);
  const { exit, stdout, stderr } = await line.run(["fsck", "--repair"]);
  expect(exit).toBe(1);
  expect(stdout).toMatch(/^index-missing +a1 +mended /m);
  expect(stdout).toMatch(/^log-missing +a2 +left +the entity has no log; what happened can't be made up; /m);
  expect(stderr).toContain("1 repaired, 1 manual");
});

test("JSON is one report, JSON lines are the findings", async () => {
  const line = await damaged();
  const key = `{${line.namespace}:0}:agent:index`;
  const message = "the index lacks it";
  const finding = { kind: "index-missing", id: "a1", partition: 0, key, message, result: "mendable" };
  const { exit, stdout } = await line.run(["fsck", "--deep", "-o", "json"]);
  expect(exit).toBe(1);
  expect(JSON.parse(stdout)).toEqual({
    ...{ machine: "agent", namespace: line.namespace, partitions: 1, entities: 2, events: 2 },
    ...{ mended: 0, mendable: 1, left: 0, notice: 0, unchecked: 0 },
    findings: [{ ...finding, why: "--repair mends it" }],
  });
  const lines = await line.run(["fsck", "--repair", "-o", "jsonl"]);
  expect(lines.exit).toBe(0);
  expect(
    lines.stdout
      .trim()
      .split("\n")
      .map((one) => JSON.parse(one)),
  ).toEqual([{ ...finding, result: "mended" }]);
});

test("what this user may not check is said, and does not fail", async () => {
  const { run, agents, namespace } = await agentCommandLine();
  await agents.create("a1");
  const rules = allRules("reader", namespace);
  await (await admin()).call("ACL", "SETUSER", namespace, "reset", "on", ">few", ...rules);
  const { hostname, port } = new URL((await useValkey()).url);
  const env = { LATCHKEY_URL: `valkey://${namespace}@${hostname}:${port}`, LATCHKEY_PASSWORD: "few" };
  const { exit, stdout, stderr } = await run(["fsck", "--deep"], env);
  expect(stdout).toMatch(
    /^unchecked +<none> +unchecked +whether apply would write the machine as it is was not asked: /m,
  );
  expect(stdout).toMatch(/^unchecked +<none> +unchecked +all keys were not walked over: /m);
  expect([exit, stderr]).toEqual([
    0,
    "machine/agent is clean: 2 checks not possible (1 entity, 1 event, 1 partition)\n",
  ]);
});

test("an id that would act on the terminal is shown without its power", async () => {
  const line = await agentCommandLine();
  await (await admin()).zadd(`{${line.namespace}:0}:agent:index`, 1, "a\u001b[2J");
  const { stdout } = await line.run(["fsck"]);
  expect(stdout).toContain("index-orphan");
  expect(stdout).not.toContain("\u001b");
});

test("no machine exits 4, no server 7, and a wrong name 2", async () => {
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
