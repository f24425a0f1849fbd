import { readdir } from "node:fs/promises";
import { Valkey } from "iovalkey";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Report } from "../../demo/report.js";
import { built, root } from "../helpers/built.js";
import { keyspace } from "../helpers/keyspace.js";
import { type LongRun, startLatchkey } from "../helpers/long-run.js";
import { tryRun } from "../helpers/run.js";
import { useValkey } from "../helpers/valkey.js";

beforeAll(built);

const latchkey = (...words: string[]) =>
  tryRun(process.execPath, ["bin/latchkey.js", ...words], { cwd: root });

/** Returns what a run has left behind: processes and temporary files. */
async function leftBy({ remains, tmp }: LongRun): Promise<{ processes: string[]; files: string[] }> {
  return { processes: await remains(), files: await readdir(tmp) };
}

const nothing = { processes: [], files: [] };

/** Starts a demo that takes long, and waits until its replicas race. */
async function longDemo(): Promise<LongRun & { replicas: number[] }> {
  const demo = await startLatchkey(["demo", "--agents", "10000"]);
  const line = await demo.line(/replicas are connected/);
  const replicas = (/pids ([\d, ]+)/.exec(line)?.[1] ?? "").split(", ").map(Number);
  await demo.line(/^ *\d+\.\d s .*won/);
  return { ...demo, replicas };
}

describe("demo", () => {
  test("races three replicas for every transition of real processes, and all checks pass", async () => {
    const { exit, stdout, stderr } = await latchkey("demo", "--agents", "12", "-o", "json");
    const report: Report = JSON.parse(stdout);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    expect(report).toMatchObject({
      ok: true,
      agents: 12,
      replicas: 3,
      changes: 36,
      killed: { replica: "replica-2", agents: 1 },
    });
    expect(report.states).toEqual({ spawning: 0, running: 0, completed: 8, failed: 3, killed: 1 });
    expect(report.checks.map(({ name, ok }) => [name, ok])).toEqual([
      ["won-once", true],
      ["losers-informed", true],
      ["contiguous", true],
      ["legal", true],
      ["published", true],
      ["finals", true],
      ["index", true],
      ["exits", true],
      ["leases", true],
      ["nothing-left", true],
    ]);
    const { "replica-2": killed, ...survivors } = report.calls;
    const lived = Object.values(survivors);
    const tried = lived.map(({ won, rejected }) => Object.values(rejected).reduce((sum, n) => sum + n, won));
    // The end of the agent that the killed replica left behind is for the sweeps alone.
    expect(tried).toEqual([35, 35]);
    expect(lived.map(({ leases }) => leases).sort()).toEqual([0, 1]);
    expect(killed).toMatchObject({ leases: 0 });
  });

  test("prints plain lines if stdout is not a terminal, and suggests the next commands", async () => {
    const { exit, stdout } = await latchkey("demo", "--agents", "5", "--replicas", "2");
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^Before: .*\n( +\d+ {2}.*\n){3}\nAfter: .*\n2 replicas are connected/);
    expect(stdout).toMatch(/^ +\d+\.\d s {2}spawning 0 .*won \d+\+\d+ /m);
    expect(stdout).toMatch(/^replica-2 was killed; its 1 agent waits for its lease$/m);
    expect(stdout).toMatch(/^recovered by replica-1$/m);
    expect(stdout).toMatch(
      /^✓ each transition won once: 15 changes, \d+ wins(, \d unreported by replica-2)?$/m,
    );
    expect(stdout).toContain("✓ replica-2 killed: its 1 agent was recorded as failed by lease, each once\n");
    expect(stdout).toMatch(/All checks passed\.\nNext:\n {2}(node bin\/latchkey\.js|latchkey) demo --keep /);
    expect(stdout).not.toContain("\u001b");
  });

  test("runs on a named server in a namespace of its own, and removes it", async () => {
    const { url } = await useValkey();
    const valkey = new Valkey(url);
    onTestFinished(() => valkey.disconnect());
    await valkey.set("somebody-else", "1");
    const before = await keyspace(valkey, "");
    const { exit, stdout } = await latchkey("demo", "--agents", "6", "--url", url, "-o", "json");
    expect(exit).toBe(0);
    expect(JSON.parse(stdout).server).toBe(url);
    const again = await latchkey("demo", "--agents", "5", "--url", url);
    expect(again.stdout).toContain(`demo --keep --url ${url} keep the agents\n`);
    expect(await keyspace(valkey, "")).toEqual(before);
  });

  test("keeps the keys on a named server with --keep, for the commands that it suggests", async () => {
    const { url } = await useValkey();
    const { exit, stdout } = await latchkey("demo", "--agents", "20", "--keep", "--url", url);
    expect(exit).toBe(0);
    const [, namespace = ""] = /LATCHKEY_NAMESPACE=(\S+)/.exec(stdout) ?? [];
    const history = await latchkey("history", "a17", "--url", url, "--namespace", namespace, "-o", "json");
    expect(history).toMatchObject({ exit: 0 });
    expect(JSON.parse(history.stdout)).toHaveLength(3);
  });

  test("keeps its own server with --keep until Ctrl-C", async () => {
    const demo = await startLatchkey(["demo", "--agents", "5", "--keep"]);
    await demo.line(/^The server runs until Ctrl-C/);
    const [, url = ""] = /VALKEY_URL=(\S+)/.exec(await demo.line(/VALKEY_URL=/)) ?? [];
    const valkey = new Valkey(url.replace("valkey", "redis"));
    expect(await valkey.keys("*:agent:id:a1")).toHaveLength(1);
    valkey.disconnect();
    demo.child.kill("SIGINT");
    await demo.ended;
    await expect.poll(() => leftBy(demo)).toEqual(nothing);
  });

  test.each<[words: string[], text: string]>([
    [["--agents", "0"], "It must be a whole number from 1 to 10000"],
    [["--replicas", "1"], "It must be a whole number from 2 to 16"],
    [["--url", "http://localhost"], "unsupported URL scheme http://"],
    [["-o", "yaml"], "use table, json"],
  ])("rejects %j as wrong usage", async (words, text) => {
    const { exit, stdout, stderr } = await latchkey("demo", ...words);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    expect(stderr).toContain(text);
  });

  test("reports that a named server is unreachable, without its password", async () => {
    const { exit, stderr } = await latchkey("demo", "--url", "valkey://me:hunter2@127.0.0.1:1");
    expect(exit).toBe(7);
    expect(stderr).toContain("valkey://127.0.0.1:1: connection refused");
    expect(stderr).not.toContain("hunter2");
  });
});

describe.runIf(process.platform === "linux")("demo, ended early", () => {
  test("fails if another replica crashes, and leaves nothing", async () => {
    const demo = await longDemo();
    process.kill(demo.replicas[0] ?? Number.NaN, "SIGKILL");
    const { exit, stderr } = await demo.ended;
    expect({ exit, stderr }).toEqual({ exit: 1, stderr: "error: replica-1 ended unexpectedly (SIGKILL)\n" });
    await expect.poll(() => leftBy(demo)).toEqual(nothing);
  });

  test("exits with 130 on Ctrl-C, and leaves nothing", async () => {
    const demo = await longDemo();
    demo.child.kill("SIGINT");
    const { exit, stderr } = await demo.ended;
    expect({ exit, stderr }).toEqual({ exit: 130, stderr: "interrupted: stopping everything\n" });
    await expect.poll(() => leftBy(demo)).toEqual(nothing);
  });

  test("leaves nothing even if it is killed itself", async () => {
    const demo = await longDemo();
    const running = (await demo.remains()).join("\n");
    expect(running).toMatch(/replica\.js/);
    expect(running).toMatch(/valkey-server/);
    demo.child.kill("SIGKILL");
    await demo.ended;
    await expect.poll(() => leftBy(demo)).toEqual(nothing);
  });
});
