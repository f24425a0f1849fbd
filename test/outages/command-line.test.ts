import { beforeAll, describe, expect, test } from "vitest";
import { defineMachine, partitionOf } from "../../src/index.js";
import { built, root } from "../helpers/built.js";
import { clusterClient, LONG } from "../helpers/cluster-clients.js";
import { dial } from "../helpers/dial.js";
import { type LongRun, startLatchkey } from "../helpers/long-run.js";
import { type PartlyDown, partlyDown } from "../helpers/partly-down.js";
import { type Ended, tryRun } from "../helpers/run.js";

beforeAll(built);

const task = defineMachine({
  name: "task",
  version: 1,
  initial: "waiting",
  states: { waiting: { to: ["late"], timeout: { after: 1, to: "late" } }, late: {} },
});

function environment({ cluster, namespace }: PartlyDown) {
  return { PATH: process.env.PATH, LATCHKEY_URL: cluster.url, LATCHKEY_NAMESPACE: namespace };
}

function commandLine(down: PartlyDown, machine: string) {
  const env = { ...environment(down), LATCHKEY_MACHINE: machine };
  return (...words: string[]): Promise<Ended> =>
    tryRun(process.execPath, ["bin/latchkey.js", ...words], { cwd: root, env });
}

/** Removes the index entry of the first entity. */
async function unindex(
  cluster: PartlyDown["cluster"],
  namespace: string,
  [id = ""]: readonly string[],
): Promise<void> {
  const key = `{${namespace}:${partitionOf(id, 16)}}:dial:index`;
  await (await cluster.ownerOf(key)).admin.zrem(key, id);
}

/** Ends a run with Ctrl-C. Returns its exit code and what it wrote to stderr. */
async function interrupted({ child, ended }: LongRun) {
  child.kill("SIGINT");
  const { exit, stderr } = await ended;
  return { exit, stderr };
}

describe("the command line, while a primary without a replica is down,", () => {
  test("reads and changes the entities of the other servers", async () => {
    const down = await partlyDown();
    const run = commandLine(down, "dial");
    const [id = ""] = down.ids;
    expect((await run("transition", id, "b")).stdout).toContain(`dial/${id}`);
    expect((await run("patch", id, "--set", "note=1")).exit).toBe(0);
    expect(JSON.parse((await run("get", id, "-o", "json")).stdout)).toMatchObject({ version: 3, note: 1 });
    expect((await run("history", id)).exit).toBe(0);
    expect((await run("remove", id)).exit).toBe(0);
    expect((await run("create", id)).exit).toBe(0);
    expect(await run("get", down.lostIds[0] ?? "")).toMatchObject({
      exit: 7,
      stdout: "",
      stderr: expect.stringContaining(down.address),
    });
  });

  test("shows the entities that can be read, and ends with the error of the others", async () => {
    const down = await partlyDown();
    const run = commandLine(down, "dial");
    const [first = "", last = ""] = down.ids;
    const [lost = "", other = ""] = down.lostIds;
    const why = (id: string) =>
      `get dial ${id} was not answered: not connected to ${down.address.replaceAll(".", "\\.")}, which holds slot \\d+: connection refused\n`;
    const several = await run("get", first, lost, "unknown", other, last, "-o", "name");
    expect(several).toMatchObject({ exit: 7, stdout: `${first}\n${last}\n` });
    expect(several.stderr).toMatch(RegExp(`^error: ${why(lost)}[^]*^  ${why(other)}`, "m"));
    expect(several.stderr).toMatch(/\n {2}try: node bin\/latchkey\.js doctor\n$/);
    const documents = await run("get", lost, first, "-o", "json");
    expect(JSON.parse(documents.stdout)).toMatchObject([{ id: first }]);
    expect(JSON.parse(documents.stderr).error).toMatchObject({ code: "NOTEXECUTED", ids: [lost] });
    expect((await run("get", lost)).stderr).toMatch(RegExp(`^error: ${why(lost)}  try: `));
  });

  test("reports the server of an entity that is waited for, and names it when the time is up", async () => {
    const down = await partlyDown();
    const [lost = ""] = down.lostIds;
    const run = commandLine(down, "dial");
    const [text, json] = await Promise.all([
      run("wait", lost, "b", "--timeout", "15s"),
      run("wait", lost, "b", "--timeout", "15s", "-o", "json"),
    ]);
    const why = `not connected to ${down.address.replaceAll(".", "\\.")}, which holds slot \\d+: connection refused`;
    const message = `dial ${lost} was not b within 15s; its state is unknown; ${why}`;
    const report = `^server unreachable, retrying: ${why}\n`;
    expect(text).toMatchObject({ exit: 124, stdout: "" });
    expect(text.stderr).toMatch(
      RegExp(`${report}error: ${message}\n  try: node bin/latchkey\\.js doctor\n$`),
    );
    expect(json).toMatchObject({ exit: 124, stdout: "" });
    expect(json.stderr).toMatch(
      RegExp(
        `${report}{"error":{"code":"TIMEDOUT","message":"${message}",.*"hint":"node bin/latchkey\\.js doctor"}}\n$`,
      ),
    );
  });

  test("goes on with a wait when the server of the entity is back", async () => {
    const down = await partlyDown();
    const [lost = ""] = down.lostIds;
    const words = ["wait", lost, "b", "-m", "dial", "-o", "name", "--timeout", "5m"];
    const waiting = await startLatchkey(words, environment(down));
    await waiting.noted("server unreachable, retrying: not connected to");
    await down.server.server.restart();
    await waiting.noted("connected again");
    const latchkey = await clusterClient(down.cluster, { namespace: down.namespace });
    await (await latchkey.machine(dial)).transition(lost, "b", LONG);
    expect(await waiting.ended).toMatchObject({ exit: 0, stdout: `${lost}\n` });
  });

  test("ends lists, counts and statistics with an error that names the command and the server", async () => {
    const down = await partlyDown();
    const run = commandLine(down, "dial");
    const commands = ["list", "count", "stats", "machines", "events"];
    const ended = await Promise.all(commands.map((one) => run(one)));
    for (const [at, one] of ended.entries()) {
      const stderr = expect.stringContaining(down.address);
      expect(one).toMatchObject({ exit: 7, stdout: "", stderr });
      if (commands[at] !== "events")
        expect(one.stderr).toMatch(RegExp(`^error: ${commands[at]} dial was not answered: `));
    }
  });

  test("checks the partitions of the other servers with fsck, and names those of the server", async () => {
    const down = await partlyDown((_, __, { namespace, cluster, ids }) => unindex(cluster, namespace, ids));
    const run = commandLine(down, "dial");
    const lost = down.lostPartitions.map((partition) => ({ partition, result: "unchecked" }));
    for (const line of [["fsck"], ["fsck", "--repair", "--deep"]]) {
      const { exit, stdout, stderr } = await run(...line, "-o", "json");
      expect([exit, stderr]).toEqual([1, expect.stringContaining(`${lost.length} checks not possible`)]);
      const { findings, ...report } = JSON.parse(stdout);
      const isLost = ({ result }: { result: string }): boolean => result === "unchecked";
      expect(findings.filter(isLost)).toMatchObject(lost);
      for (const { partition, message } of findings.filter(isLost)) {
        const slot = await down.cluster.slotOf(`{${down.namespace}:${partition}}`);
        expect(message).toBe(
          `partition ${partition} was not checked: not connected to ${down.address}, which holds slot ${slot}: connection refused`,
        );
      }
      const result = line.includes("--repair") ? "repaired" : "repairable";
      expect(findings.filter((one: { result: string }) => !isLost(one))).toMatchObject([
        { kind: "index-missing", id: down.ids[0], result },
      ]);
      expect(report).toMatchObject({
        partitions: 16 - lost.length,
        skipped: lost.length,
        entities: down.ids.length,
      });
    }
    await down.server.server.restart();
    await expect.poll(async () => (await run("fsck")).stderr, LONG).toContain("is clean (48 entities");
  });

  test("ends fsck with an error that names the server, if no other one has the machine", async () => {
    const down = await partlyDown();
    expect(await commandLine(down, "unknown")("fsck")).toMatchObject({
      exit: 7,
      stderr: expect.stringContaining(down.address),
    });
  });

  test.each([[["-m", "task"]], [[]]])(
    "fires the timers of the other servers with sweep --once %j, and names the server",
    async (machine) => {
      let created: string[] = [];
      const down = await partlyDown(async (latchkey, _, { ids, lostIds }) => {
        const tasks = await latchkey.machine(task);
        created = [...ids];
        await Promise.all([...ids, ...lostIds].map((id) => tasks.create(id)));
      });
      const swept = await commandLine(down, "task")("sweep", "--once", ...machine);
      expect(swept.exit).toBe(7);
      const [, ...rows] = swept.stdout.trim().split("\n");
      expect(rows.map((row) => row.split(/ +/)[1]).sort()).toEqual([...created].sort());
      expect(swept.stderr).toContain(`${created.length} timers fired, 0 entities removed`);
      expect(swept.stderr).toContain(down.address);
    },
  );

  test("prints the events of the other servers, and those of the server when it is back", async () => {
    const down = await partlyDown();
    const [[id = ""], [lost = ""]] = [down.ids, down.lostIds];
    const following = await startLatchkey(
      ["events", "-m", "dial", "--follow", "-o", "jsonl"],
      environment(down),
    );
    const latchkey = await clusterClient(down.cluster, { namespace: down.namespace });
    const dials = await latchkey.machine(dial);
    let isSeen = false;
    const seen = following.line(new RegExp(`"id":"${id}"`)).then(() => {
      isSeen = true;
    });
    // The command may begin after the first changes.
    const isSeenLater = async (): Promise<boolean> => {
      await dials.transition(id, "b", LONG);
      return isSeen;
    };
    await expect.poll(isSeenLater, LONG).toBe(true);
    await seen;
    await down.server.server.restart();
    await dials.transition(lost, "b", LONG);
    await following.line(new RegExp(`"id":"${lost}"`));
    const { stderr } = await interrupted(following);
    expect(stderr).toContain(`not connected to ${down.address}`);
    expect(stderr).toContain("connected again; events of all servers follow");
  });

  test.each([[["-m", "task"]], [[]]])(
    "sweeps the other servers with sweep %j, and the server when it is back",
    async (machine) => {
      const down = await partlyDown(async (latchkey, _, { ids, lostIds }) => {
        const tasks = await latchkey.machine(task);
        await Promise.all([...ids, ...lostIds].map((id) => tasks.create(id)));
      });
      const sweeping = await startLatchkey(["sweep", "-o", "jsonl", ...machine], environment(down));
      for (const id of down.ids.slice(0, 3)) await sweeping.line(new RegExp(`"id":"${id}"`));
      await down.server.server.restart();
      for (const id of down.lostIds.slice(0, 3)) await sweeping.line(new RegExp(`"id":"${id}"`));
      const { stderr } = await interrupted(sweeping);
      expect(stderr).toContain(`not connected to ${down.address}`);
    },
  );
});
