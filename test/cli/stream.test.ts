import { once } from "node:events";
import { beforeAll, describe, expect, test } from "vitest";
import type { Entities } from "../../src/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { built } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { all } from "../helpers/client.js";
import { agentCommandLine, commandLine, jsonError } from "../helpers/command-line.js";
import { type LongRun, startLatchkey } from "../helpers/long-run.js";
import { startProxy } from "../helpers/proxy.js";
import { useValkey } from "../helpers/valkey.js";

beforeAll(built);

const silent = { exit: 0, stderr: "" };

/** The log's documents as they stand on the server. */
async function documents(namespace: string): Promise<string[]> {
  const entries = await (await admin()).xrange(`{${namespace}:0}:agent:events`, "-", "+");
  return entries.map(([, fields]) => fields[1] ?? "");
}

test.each(["sweep -o jsonl", "events --follow -o jsonl"])(
  "%s waits for a server that is not up yet, and reports it once",
  async (line) => {
    const { env } = await agentCommandLine();
    const proxy = await startProxy(await useValkey());
    proxy.shut(true);
    const service = await startLatchkey(line.split(" "), { ...env, LATCHKEY_URL: proxy.url });
    await service.noted(`server unreachable, retrying: cannot use Valkey at ${proxy.url}: `);
    proxy.shut(false);
    await service.noted("connected\n");
    service.child.kill("SIGINT");
    const { exit, stderr } = await service.ended;
    expect(exit).toBe(130);
    expect(stderr.match(/server unreachable/g)).toHaveLength(1);
  },
);

describe("events", () => {
  test("shows the log from its start to its end, and the next cursor", async () => {
    const { run, agents, namespace } = await agentCommandLine();
    await agents.create("a1", {}, { actor: "ann" });
    await agents.transition("a1", "running", { reason: "go" });
    const table = await run(["events"]);
    expect(table.exit).toBe(0);
    expect(table.stdout).toMatch(/^WHEN +ID +TYPE +VERSION +FROM +TO +ACTOR +REASON\n/);
    expect(table.stdout).toMatch(/^\S+Z +a1 +agent.spawned +1 +<none> +spawning +ann +<none>$/m);
    expect(table.stdout).toMatch(/^\S+Z +a1 +agent.running +2 +spawning +running +<none> +go$/m);
    const jsonl = await run(["events", "-o", "jsonl"]);
    expect(jsonl.stdout).toBe((await documents(namespace)).map((text) => `${text}\n`).join(""));
    const [, cursor = ""] = /^next events: --after (\S+)\n$/.exec(jsonl.stderr) ?? [];
    await agents.transition("a1", "killed");
    const more = await run(["events", "--after", cursor, "-o", "json"]);
    expect(JSON.parse(more.stdout)).toMatchObject([{ type: "agent.killed", version: 3 }]);
    expect((await run(["events", "--after", "end", "-o", "name"])).stdout).toBe("");
  });

  test("follows from the end on, each document verbatim, until Ctrl-C: 130", async () => {
    const { agents, env, namespace } = await agentCommandLine();
    await agents.create("before");
    const following = await startLatchkey(["events", "--follow", "-o", "jsonl"], env);
    await untilFollowed(following, agents);
    await agents.transition("a1", "running");
    const line = await following.line(/"agent.running"/);
    expect(line).toBe((await documents(namespace)).at(-1));
    following.child.kill("SIGINT");
    const { exit, stdout, stderr } = await following.ended;
    expect(exit).toBe(130);
    expect(stdout).not.toContain('"before"');
    expect(stderr).toMatch(/^next events: --after \S+\n$/);
  });

  test("follows from a cursor on, as a table whose header comes at once", async () => {
    const { agents, env } = await agentCommandLine();
    const following = await startLatchkey(["events", "--follow", "--after", "start"], env);
    await following.line(/^WHEN/);
    await agents.create("a1");
    await following.line(/a1 .*agent.spawned/);
    following.child.kill("SIGTERM");
    expect(await following.ended).toMatchObject({ exit: 143 });
  });

  test("prints the next cursor if it is interrupted while the server is unreachable", async () => {
    const { agents, env } = await agentCommandLine();
    await agents.create("a1");
    const proxy = await startProxy(await useValkey());
    const following = await startLatchkey(["events", "--follow", "--after", "start", "-o", "name"], {
      ...env,
      LATCHKEY_URL: proxy.url,
    });
    await following.line(/^a1$/);
    proxy.shut(true);
    proxy.cut();
    await expect.poll(() => proxy.refused).toBeGreaterThan(5);
    following.child.kill("SIGINT");
    const { exit, stderr } = await following.ended;
    expect(exit).toBe(130);
    expect(stderr).toMatch(/^next events: --after \S+\n$/);
  });

  test("ends with 0 and prints no error when the pipe closes", async () => {
    const { agents, env } = await agentCommandLine();
    const following = await startLatchkey(["events", "--follow", "-o", "jsonl"], env);
    await untilFollowed(following, agents);
    following.child.stdout?.destroy();
    await agents.create("b1");
    const { exit, stderr } = await following.ended;
    expect(exit).toBe(0);
    expect(stderr).not.toMatch(/error|EPIPE/i);
  });

  test("a gap behind the cursor exits 6 and prints the cursor to continue with", async () => {
    const { run, agents, namespace } = await agentCommandLine();
    await agents.create("a1");
    const first = await run(["events", "-o", "name"]);
    const [, cursor = ""] = /--after (\S+)/.exec(first.stderr) ?? [];
    await agents.create("a2");
    await (await admin()).xtrim(`{${namespace}:0}:agent:events`, "MAXLEN", 1);
    const gap = await run(["events", "--after", cursor, "-o", "json"]);
    expect(gap.exit).toBe(6);
    const error = jsonError({ ...gap, stderr: gap.stderr });
    expect(error).toMatchObject({ code: "GAP", hint: expect.stringContaining("events --after ") });
    const again = await run(["events", "--after", String(error.cursor), "-o", "name"]);
    expect(again).toMatchObject({ exit: 0, stdout: "a2\n" });
  });

  test("skips an unreadable entry, names it on stderr, and exits 0", async () => {
    const { run, agents, namespace } = await agentCommandLine();
    await agents.create("a1");
    const entry = await (await admin()).xadd(`{${namespace}:0}:agent:events`, "*", "doc", "null");
    await agents.create("a2");
    const { exit, stdout, stderr } = await run(["events", "-o", "name"]);
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: "a1\na2\n" });
    expect(stderr).toMatch(`skipped entry ${entry} (partition 0): not a JSON object\nnext events: --after `);
  });

  test("starts at a time", async () => {
    const { run, agents } = await agentCommandLine();
    const { timestamp } = await agents.create("a1");
    expect((await run(["events", "--after", timestamp, "-o", "name"])).stdout).toBe("a1\n");
    expect((await run(["events", "--after", "9999-01-01T00:00:00Z", "-o", "name"])).stdout).toBe("");
  });

  test.each([
    [
      "a cursor that is none",
      ["--after", "yesterday"],
      '--after: "yesterday" is not a cursor; use "start", "end" or a cursor',
    ],
    ["a cursor of another layout", ["--after", "1-0,2-0"], "--after: the cursor has 2 partitions"],
    ["an array that never ends", ["--follow", "-o", "json"], "use -o jsonl"],
  ])("%s is wrong usage: 2", async (_, words, text) => {
    const { run } = await agentCommandLine();
    const ended = await run(["events", ...words]);
    expect(ended).toMatchObject({ exit: 2, stdout: "" });
    expect(ended.stderr).toContain(text);
  });

  test("an absent machine has no events: 4", async () => {
    const { run } = await commandLine();
    expect(await run(["events"])).toMatchObject({ exit: 4, stdout: "" });
  });
});

describe("a long list", () => {
  /** More than a pipe holds, so that the command has not ended when it is interrupted. */
  const MANY = 3000;

  async function manyAgents() {
    const line = await agentCommandLine();
    await Promise.all(
      Array.from({ length: MANY }, (_, at) => line.agents.create(`a${at}`, { n: "x".repeat(50) })),
    );
    return line;
  }

  test("is complete and in order; Ctrl-C ends it with 130, a closed pipe with 0", async () => {
    const { run, agents, env } = await manyAgents();
    const { stdout, ...rest } = await run(["list", "-o", "name"]);
    expect(rest).toEqual(silent);
    const ids = (await all(agents.list())).map(({ id }) => id);
    expect(stdout.trim().split("\n")).toEqual(ids);

    const interrupted = await startLatchkey(["list", "-o", "jsonl"], env);
    await begun(interrupted);
    interrupted.child.kill("SIGINT");
    interrupted.child.stdout?.resume();
    const cut = await interrupted.ended;
    expect({ exit: cut.exit, stderr: cut.stderr }).toEqual({ exit: 130, stderr: "" });
    const lines = cut.stdout.trim().split("\n");
    expect(lines.length).toBeLessThan(MANY);
    expect(lines.map((line) => typeof JSON.parse(line))).toEqual(lines.map(() => "object"));

    const closed = await startLatchkey(["list"], env);
    await begun(closed);
    closed.child.stdout?.destroy();
    const { exit, stderr } = await closed.ended;
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
  });
});

/** Waits for the first output and reads no more for now. */
async function begun({ child }: LongRun): Promise<void> {
  const { stdout } = child;
  if (stdout === null) throw new Error("It has no stdout");
  await once(stdout, "readable");
  stdout.pause();
}

/**
 * Changes a1 until one change is shown: the moment at which following begins is not visible from outside.
 */
async function untilFollowed(following: LongRun, agents: Entities<AgentState>): Promise<void> {
  await agents.create("a1");
  let isShown = false;
  const shown = following.line(/agent\.updated/).then(() => {
    isShown = true;
  });
  while (!isShown) await Promise.race([shown, agents.patch("a1", { set: { n: 1 } })]);
}
