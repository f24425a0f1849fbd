import { beforeAll, describe, expect, test } from "vitest";
import { built } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { all } from "../helpers/client.js";
import { agentCommandLine, jsonError } from "../helpers/command-line.js";

beforeAll(built);

/** Creates agents a1 to a3 whose cleanup became a dead letter. */
async function given() {
  const line = await agentCommandLine();
  const reaction = await line.agents.react(
    "cleanup",
    () => {
      throw new Error("no such folder\nsecond line");
    },
    { deadLetterAfter: 1 },
  );
  for (const id of ["a1", "a2", "a3"]) await line.agents.create(id, { n: 1 });
  const letters = line.agents.deadLetters("cleanup");
  await expect.poll(async () => (await all(letters)).length).toBe(3);
  await reaction.close();
  return { ...line, letters, ids: (await all(letters)).map(({ id }) => id) };
}

test("reactions shows how far each has come", async () => {
  const { run, agents } = await given();
  await agents.create("a4");
  const { exit, stdout, stderr } = await run(["reactions"]);
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
  expect(stdout).toMatch(
    /^NAME +LAG +PENDING +OLDEST +CONSUMERS +SEEN +DEAD\ncleanup +1 +0 +<none> +0 +<none> +3\n$/,
  );
  expect(JSON.parse((await run(["reactions", "-o", "json"])).stdout)).toEqual(
    JSON.parse(JSON.stringify(await agents.reactions())),
  );
  expect((await run(["reactions", "-o", "name"])).stdout).toBe("cleanup\n");
});

test("reactions shows the last heartbeat of a replica, also of a killed one", async () => {
  const { run, namespace } = await given();
  const seen = `{${namespace}:0}:agent:reaction:cleanup:seen`;
  await (await admin()).zadd(seen, Date.now() - 259_200_000, "killed");
  expect((await run(["reactions"])).stdout).toMatch(/^cleanup +0 +0 +<none> +1 +3d +3$/m);
});

test("reactions pending shows what is being handled, by whom and since when", async () => {
  const { run, agents } = await given();
  let open: () => void = () => {};
  const hold = new Promise<void>((resolve) => {
    open = resolve;
  });
  const reaction = await agents.react("cleanup", () => hold);
  const change = await agents.create("a4");
  await agents.transition("a4", "running");
  const json = async () => JSON.parse((await run(["reactions", "pending", "cleanup", "-o", "json"])).stdout);
  await expect.poll(json, { timeout: 20_000 }).toMatchObject([
    {
      id: expect.stringMatching(/^0:\d+-\d+$/),
      entity: "a4",
      status: "running",
      attempts: 1,
      deadLetter: false,
    },
    { entity: "a4", status: "waiting", replica: null, attempts: 0, first: null, replicaSeen: null },
  ]);
  const [{ event, since, first, replica, replicaSeen }] = await json();
  expect(event).toEqual(change);
  expect(since).toBe(first);
  expect(Date.parse(replicaSeen)).toBeGreaterThan(0);
  const { exit, stdout, stderr } = await run(["reactions", "pending", "cleanup"]);
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
  expect(stdout).toMatch(/^EVENT +ID +TYPE +STATUS +SINCE +ATTEMPTS +REPLICA\n/);
  expect(stdout).toMatch(/^0:\S+ +a4 +agent\.spawned +running +\d+s +1 +\S+$/m);
  expect(stdout).toMatch(/^0:\S+ +a4 +agent\.running +waiting +\d+s +0 +<none>$/m);
  expect(stdout).toContain(replica);
  expect((await run(["reactions", "pending", "cleanup", "-o", "wide"])).stdout).toMatch(
    /VERSION +FIRST +SEEN +REPLICA/,
  );
  open();
  await reaction.close();
});

test("a machine without reactions has an empty list", async () => {
  const { run } = await agentCommandLine();
  expect((await run(["reactions", "-o", "json"])).stdout).toBe("[]\n");
});

describe("dead letters", () => {
  test("are shown with attempts and error, and whole for programs", async () => {
    const { run, namespace, ids } = await given();
    const table = await run(["reactions", "dead", "cleanup"]);
    expect(table).toMatchObject({ exit: 0, stderr: "" });
    expect(table.stdout).toMatch(/^LETTER +ID +TYPE +ATTEMPTS +AGE +RETRIED +ERROR\n/);
    expect(table.stdout).toMatch(/^0:\S+ +a1 +agent\.spawned +1 +\d+s +<none> +Error: no such folder$/m);
    expect((await run(["reactions", "dead", "cleanup", "-o", "wide"])).stdout).toMatch(
      /VERSION +FIRST +LAST/,
    );
    const [first] = JSON.parse((await run(["reactions", "dead", "cleanup", "-o", "json"])).stdout);
    expect(first).toMatchObject({
      id: ids[0],
      attempts: 1,
      retried: false,
      event: { type: "agent.spawned", id: "a1", version: 1 },
    });
    expect(first.error).toBe("Error: no such folder\nsecond line");
    expect(Date.parse(first.last)).toBeGreaterThanOrEqual(Date.parse(first.first));
    await (await admin()).xadd(
      `{${namespace}:0}:agent:reaction:cleanup:dead`,
      "*",
      ...["lost", "0-0", "to", "1-1", "count", "2", "last", "1763807223197"],
    );
    const lost = (await run(["reactions", "dead", "cleanup", "-o", "jsonl"])).stdout
      .trim()
      .split("\n")
      .at(-1);
    expect(JSON.parse(lost ?? "")).toMatchObject({ event: null, first: null, attempts: 0 });
    expect((await run(["reactions", "dead", "cleanup"])).stdout).toContain("2 events trimmed");
  });

  test("are dropped and retried, by name or all, and the reaction then handles them", async () => {
    const { run, agents, letters, ids } = await given();
    const [first = "", second = "", third = ""] = ids;
    expect(await run(["reactions", "drop", "cleanup", first])).toEqual({
      exit: 0,
      stdout: `${first}\n`,
      stderr: "",
    });
    expect((await run(["reactions", "retry", "cleanup", second])).stdout).toBe(`${second}\n`);
    const retried = await run(["reactions", "dead", "cleanup"]);
    expect(retried.stdout).toMatch(/ a2 .* retried /);
    const more = await run(["reactions", "retry", "cleanup", "--all", "-o", "json"]);
    expect(JSON.parse(more.stdout)).toEqual([second, third]);
    const met: string[] = [];
    const reaction = await agents.react("cleanup", ({ id }) => void met.push(id));
    await expect.poll(async () => (await all(letters)).length).toBe(0);
    expect(met.sort()).toEqual(["a2", "a3"]);
    await reaction.close();
  });

  test("are all dropped", async () => {
    const { run, letters, ids } = await given();
    const dropped = await run(["reactions", "drop", "cleanup", "--all"]);
    expect(dropped.stdout).toBe(ids.map((id) => `${id}\n`).join(""));
    expect(await all(letters)).toEqual([]);
  });

  test("with --all and nothing to do print a note", async () => {
    const { run, letters, ids, namespace } = await given();
    const key = `{${namespace}:0}:agent:reaction:cleanup:dead`;
    const lost = ["lost", "0-0", "to", "1-1", "count", "2", "last", "1763807223197"] as const;
    const entry = `0:${await (await admin()).xadd(key, "*", ...lost)}`;
    await letters.drop(ids);
    expect(await run(["reactions", "retry", "cleanup", "--all"])).toEqual({
      exit: 0,
      stdout: "",
      stderr:
        "cleanup has no dead letters to retry\n1 not retried: their events were trimmed or are unreadable; they can only be dropped\n" +
        "  try: node bin/latchkey.js reactions dead cleanup\n",
    });
    expect(await run(["reactions", "drop", "cleanup", "--all"])).toMatchObject({
      stdout: `${entry}\n`,
      stderr: "",
    });
    for (const verb of ["drop", "retry"]) {
      expect(await run(["reactions", verb, "cleanup", "--all", "-o", "json"])).toEqual({
        exit: 0,
        stdout: "[]\n",
        stderr: `cleanup has no dead letters to ${verb}\n`,
      });
    }
  });

  test("with unknown ids are reported after the known ones are changed: 4", async () => {
    const { run, ids } = await given();
    const ended = await run(["reactions", "drop", "cleanup", "0:1-1", ids[0] ?? "", "-o", "json"]);
    expect(ended.exit).toBe(4);
    expect(JSON.parse(ended.stdout)).toEqual([ids[0]]);
    expect(jsonError(ended)).toMatchObject({ code: "NOTFOUND", ids: ["0:1-1"] });
    const retry = await run(["reactions", "retry", "cleanup", "0:1-1"]);
    expect(retry).toMatchObject({ exit: 4, stdout: "" });
    expect(retry.stderr).toContain("cleanup has no dead letters 0:1-1");
  });

  test.each([
    [["dead", "other"], 4, 'agent has no reaction "other"; it has cleanup'],
    [["dead", "Other"], 2, "reaction"],
    [["pending", "other"], 4, 'agent has no reaction "other"; it has cleanup'],
    [["retry", "cleanup"], 2, "give either the IDs of dead letters, or --all"],
    [["drop", "cleanup", "0:1-1", "--all"], 2, "give either the IDs of dead letters, or --all"],
    [["frob"], 2, "unknown command 'frob' of reactions\n"],
    [["deed", "cleanup"], 2, "unknown command 'deed' of reactions; did you mean \"dead\"?"],
    [["dead", "cleanup", "more"], 2, "too many arguments for 'dead'"],
  ])("%j names the problem", async (words, exit, text) => {
    const { run } = await given();
    const ended = await run(["reactions", ...words]);
    expect(ended).toMatchObject({ exit, stdout: "" });
    expect(ended.stderr).toContain(text);
  });
});

test("reactions complete their subcommands and names", async () => {
  const { run } = await given();
  const complete = async (...words: string[]) =>
    (await run(["__complete", "--", ...words], { LATCHKEY_COMPLETION_MS: "20000" })).stdout;
  expect(await complete("reactions", "")).toBe("dead\npending\nretry\ndrop\nforget\n");
  expect(await complete("reactions", "dead", "")).toBe("cleanup\n");
  expect(await complete("wait", "a1", "co")).toBe("completed\n");
});
