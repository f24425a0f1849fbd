import { readdir } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import type { Report } from "../../demo/report.js";
import { built, root } from "../helpers/built.js";
import { useCluster } from "../helpers/cluster.js";
import { startLatchkey } from "../helpers/long-run.js";
import { tryRun } from "../helpers/run.js";

beforeAll(built);

const latchkey = (...words: string[]) =>
  tryRun(process.execPath, ["bin/latchkey.js", ...words], { cwd: root });

describe("demo on a cluster", () => {
  test("kills a primary as well, and all checks pass", async () => {
    const { exit, stdout, stderr } = await latchkey(
      ...["demo", "--topology", "cluster", "--agents", "12", "-o", "json"],
    );
    const report: Report = JSON.parse(stdout);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    expect(report).toMatchObject({
      ok: true,
      changes: 36,
      states: { spawning: 0, running: 0, completed: 8, failed: 3, killed: 1 },
      killed: { replica: "replica-2", agents: 1 },
      failover: { killed: "node-2", promoted: "node-5" },
    });
    expect(report.checks.filter(({ ok }) => !ok)).toEqual([]);
  });

  test("suggests the commands of its own topology", async () => {
    const { exit, stdout } = await latchkey("demo", "--topology", "cluster", "--agents", "5");
    expect(exit).toBe(0);
    const [first] = /^ {2}.*demo .*/m.exec(stdout.slice(stdout.indexOf("Next:"))) ?? [];
    expect(first).toMatch(
      /^ {2}.*latchkey\S* demo --keep --topology cluster keep the server and its agents$/,
    );
  });

  test("runs on a named cluster, kills none of its servers, and removes its keys", async () => {
    const { url, nodes } = await useCluster();
    const { exit, stdout } = await latchkey("demo", "--agents", "6", "--url", url, "-o", "json");
    expect(exit).toBe(0);
    const report: Report = JSON.parse(stdout);
    expect(report).toMatchObject({ ok: true, server: url });
    expect(report.failover).toBeUndefined();
    expect(await Promise.all(nodes.map(({ admin }) => admin.dbsize()))).toEqual([0, 0, 0]);
  });

  test("rejects --topology cluster together with --url", async () => {
    const { exit, stdout, stderr } = await latchkey(
      ...["demo", "--topology", "cluster", "--url", "valkey://localhost:1"],
    );
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    expect(stderr).toContain("--topology starts servers, but --url names one");
  });

  test.runIf(process.platform === "linux")("leaves nothing if it is killed itself", async () => {
    const demo = await startLatchkey(["demo", "--topology", "cluster", "--agents", "10000"]);
    await demo.line(/replicas are connected/);
    demo.child.kill("SIGKILL");
    await demo.ended;
    await expect.poll(() => demo.remains(), { timeout: 60_000 }).toEqual([]);
    await expect.poll(() => readdir(demo.tmp), { timeout: 60_000 }).toEqual([]);
  });
});
