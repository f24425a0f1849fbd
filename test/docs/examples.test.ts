import { spawnSync } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import { agent, connect } from "../../src/index.js";
import { built, root } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { startProxy } from "../helpers/proxy.js";
import { tryRun } from "../helpers/run.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

beforeAll(built);

function installed(program: string): boolean {
  return spawnSync(program, ["--version"], { stdio: "ignore" }).error === undefined;
}

test("replicas.mjs has three replicas race, and one win each time", async () => {
  const { url: VALKEY_URL } = await useValkey();
  const { exit, stdout } = await tryRun(process.execPath, ["examples/replicas.mjs"], {
    cwd: root,
    env: { ...process.env, VALKEY_URL },
  });
  expect(stdout).toMatch(/^(replica-\d: won \d+ times, lost \d+ times\n){3}30 agents, 30 starts\n$/);
  expect(exit).toBe(0);
});

test("session-cleanup.mjs kills a replica between an agent's end and the cleanup, and another one does it", async () => {
  const { url: VALKEY_URL } = await useValkey();
  const { exit, stdout } = await tryRun(process.execPath, ["examples/session-cleanup.mjs"], {
    cwd: root,
    env: { ...process.env, VALKEY_URL },
  });
  expect(stdout.split("\n")).toEqual([
    "replica-1 waits",
    "replica-1 cleans up after a1, try 1",
    "replica-1 was killed; the folder is still there",
    "replica-2 waits",
    "replica-2 cleans up after a1, try 2",
    "replica-2 is done",
    "the folder is gone",
    "",
  ]);
  expect(exit).toBe(0);
});

describe.each([
  ["python/transition.py", "python3", 2],
  ["shell/transition.sh", "valkey-cli", 1],
])("%s", (example, needs, exitOfWrongCall) => {
  /** Two agents in a namespace of 7 partitions, and the example called on them. */
  async function agents() {
    const { url } = await useValkey();
    const namespace = freshNamespace();
    const latchkey = await connect({ url, namespace });
    await latchkey.init(7);
    const entities = await latchkey.machine(agent());
    await entities.create("a1");
    await entities.create("agent/7f3c-42@eu");
    await (await admin()).script("FLUSH"); // as after a restart of the server
    const env = { ...process.env, VALKEY_URL: url, LATCHKEY_NAMESPACE: namespace, LATCHKEY_MACHINE: "agent" };
    const [program, ...before] = example.endsWith(".py") ? ["python3"] : ["bash"];
    const call = async (...args: string[]) => {
      const path = `examples/${example}`;
      const { exit, stdout, stderr } = await tryRun(String(program), [...before, path, ...args], {
        cwd: root,
        env,
      });
      const [outcome = "", document = ""] = stdout.split("\n");
      return { exit, outcome, document: document === "" ? null : JSON.parse(document), stderr };
    };
    return { entities, call, close: () => latchkey.close() };
  }

  test("moves entities, whatever partition they live in", async ({ skip }) => {
    if (!installed(needs)) skip(`${needs} is not installed`);
    const { entities, call, close } = await agents();
    for (const id of ["a1", "agent/7f3c-42@eu"]) {
      const { exit, outcome, document } = await call(id, "running", "ACTOR", "ann", "REASON", "by hand");
      expect({ exit, outcome }).toEqual({ exit: 0, outcome: "OK" });
      expect(await entities.history(id, 1)).toMatchObject([{ version: document.version, state: "running" }]);
      expect(document).toMatchObject({
        id,
        from: "spawning",
        state: "running",
        actor: "ann",
        reason: "by hand",
      });
    }
    await close();
  });

  test("repeats a change by its idempotency key without making it twice", async ({ skip }) => {
    if (!installed(needs)) skip(`${needs} is not installed`);
    const { entities, call, close } = await agents();
    const repeat = ["OP", "o1", "SEEN", await entities.position("a1")];
    expect(await call("a1", "running", ...repeat)).toMatchObject({ exit: 0, outcome: "OK" });
    const again = await call("a1", "running", ...repeat);
    expect(again).toMatchObject({ exit: 0, outcome: "REPLAYED", document: { version: 2, opVersion: 2 } });
    await close();
  });

  test("reports rejections and invalid calls", async ({ skip }) => {
    if (!installed(needs)) skip(`${needs} is not installed`);
    const { call, close } = await agents();
    const refused = await call("a1", "completed");
    expect(refused).toMatchObject({ exit: 1, outcome: "ILLEGAL", document: { state: "spawning" } });
    expect(await call("nobody", "running")).toMatchObject({ exit: 1, outcome: "NOTFOUND", document: null });
    const wrong = await call("a1", "no state");
    expect(wrong).toMatchObject({
      exit: exitOfWrongCall,
      outcome: "",
      stderr: expect.stringContaining("BADARG to"),
    });
    await close();
  });
});

describe("transition.py", () => {
  /** Two agents behind a proxy, and the example called on them; the script is loaded. */
  async function agents() {
    const proxy = await startProxy(await useValkey());
    const namespace = freshNamespace();
    const latchkey = await connect({ url: (await useValkey()).url, namespace });
    const entities = await latchkey.machine(agent());
    for (const id of ["a1", "a2"]) await entities.create(id);
    const env = { ...process.env, VALKEY_URL: proxy.url, LATCHKEY_NAMESPACE: namespace };
    const call = (line: string) => tryRun("bash", ["-c", line], { cwd: root, env });
    expect((await call(`${example} a2 running`)).exit).toBe(0);
    return { proxy, entities, call, close: () => latchkey.close() };
  }
  const example = "python3 examples/python/transition.py";

  test("retries a change whose reply was lost, and the change takes effect once", async ({ skip }) => {
    if (!installed("python3")) skip("python3 is not installed");
    const { proxy, entities, call, close } = await agents();
    proxy.dropReply("EVALSHA");
    const { exit, stdout } = await call(`${example} a1 running`);
    expect(stdout).toMatch(/^REPLAYED\n/);
    expect(exit).toBe(0);
    expect(await entities.get("a1")).toMatchObject({ state: "running", version: 2 });
    await close();
  });

  test("prints how to repeat a change without result, also after the entity has forgotten it", async ({
    skip,
  }) => {
    if (!installed("python3")) skip("python3 is not installed");
    const { proxy, entities, call, close } = await agents();
    proxy.dropReply("EVALSHA");
    void proxy.lost.then(() => proxy.shut(true));
    const { exit, stdout, stderr } = await call(`${example} a1 running REASON 'by hand'`);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    const [says, again = ""] = stderr.split("\n");
    expect(says).toMatch(/^no result \(.+\): the change may have been applied\. Repeat it/);
    expect(again).toMatch(
      /^python3 examples\/python\/transition.py a1 running REASON 'by hand' OP [0-9a-f]{32} SEEN \d{13}-\d+$/,
    );
    proxy.shut(false);
    expect((await call(again)).stdout).toMatch(/^REPLAYED\n/);
    for (let count = 0; count < 40; count++) await entities.patch("a1", { set: { count } });
    const { exit: exitOfForgotten, stdout: found } = await call(again);
    expect(found).toMatch(/^REPLAYED\n\{"type":"agent.running",.*"version":2,/);
    expect(exitOfForgotten).toBe(0);
    expect(await entities.get("a1")).toMatchObject({ state: "running", version: 42 });
    await close();
  });
});
