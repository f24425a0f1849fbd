import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { built } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { all } from "../helpers/client.js";
import { agentCommandLine, type CommandLine, jsonError } from "../helpers/command-line.js";

beforeAll(built);

/** Agents whose cleanup ended, and left so many dead letters. */
async function given(dead = 0) {
  const line = await agentCommandLine();
  const reaction = await line.agents.react(
    "cleanup",
    () => {
      throw new Error("no such folder");
    },
    { deadLetterAfter: 1 },
  );
  for (let n = 0; n < dead; n++) await line.agents.create(`a${n}`);
  const letters = line.agents.deadLetters("cleanup");
  await expect.poll(async () => (await all(letters)).length).toBe(dead);
  await reaction.close();
  return line;
}

const forget = ({ run }: CommandLine, ...more: string[]) => run(["reactions", "forget", "cleanup", ...more]);

test("forget removes a reaction and prints its last numbers", async () => {
  const line = await given();
  await line.agents.create("a1");
  expect(await forget(line)).toEqual({
    exit: 0,
    stdout: "FORGOTTEN   LAG   PENDING   CONSUMERS   DEAD\ncleanup     1     0         0           0\n",
    stderr: "",
  });
  expect((await line.run(["reactions", "-o", "json"])).stdout).toBe("[]\n");
});

test.each([
  [
    "json",
    /^\{\n? *"name": ?"cleanup",\n? *"lag": ?0,\n? *"pending": ?0,\n? *"deadLetters": ?0,\n? *"consumers": ?0\n?\}\n$/,
  ],
  ["yaml", /^name: cleanup\nlag: 0\npending: 0\ndeadLetters: 0\nconsumers: 0\n$/],
  ["name", /^cleanup\n$/],
])("forget prints a reaction as %s", async (format, text) => {
  const { exit, stdout } = await forget(await given(), "-o", format);
  expect({ exit, stdout }).toEqual({ exit: 0, stdout: expect.stringMatching(text) });
});

describe("forget rejects", () => {
  test("to discard dead letters without --force: 6, and nothing is removed", async () => {
    const line = await given(2);
    const { exit, stdout, stderr } = await forget(line);
    expect({ exit, stdout }).toEqual({ exit: 6, stdout: "" });
    expect(stderr).toContain(
      "reaction cleanup of agent was not forgotten: 2 dead letters would be thrown away",
    );
    expect(stderr).toMatch(/try: .*latchkey\S* reactions dead cleanup\n/);
    expect(jsonError(await forget(line, "-o", "json"))).toMatchObject({
      ...{ code: "INUSE", problem: "UNFINISHED", replicas: 0, pending: 0, deadLetters: 2 },
    });
    expect((await forget(line, "--force")).stdout).toMatch(/^cleanup +0 +0 +0 +2$/m);
  });

  test("is to throw unfinished events away unforced, and the line that forces it is shown", async () => {
    const line = await given();
    await line.agents.create("a1");
    const valkey = await admin();
    const events = `{${line.namespace}:0}:agent:events`;
    await valkey.xreadgroup("GROUP", "cleanup", "died", "COUNT", 1, "STREAMS", events, ">");
    const { exit, stderr } = await forget(line, "--namespace", line.namespace);
    expect(exit).toBe(6);
    expect(stderr).toContain(
      "1 unfinished event would be thrown away; let a replica handle them, or force it",
    );
    const words = /try: .*latchkey\S* (reactions .*)\n/.exec(stderr)?.[1]?.split(" ") ?? [];
    expect(words).toEqual(["reactions", "forget", "cleanup", "--force", "--namespace", line.namespace]);
    expect((await line.run(words)).stdout).toMatch(/^cleanup +0 +1 +0 +0$/m);
  });

  test("a reaction with a live replica, with and without --force: 6, and the reaction continues", async () => {
    const line = await given();
    const met: string[] = [];
    const reaction = await line.agents.react("cleanup", ({ id }) => void met.push(id));
    onTestFinished(() => reaction.close());
    for (const more of [[], ["--force"]]) {
      const { exit, stdout, stderr } = await forget(line, ...more);
      expect({ exit, stdout }).toEqual({ exit: 6, stdout: "" });
      expect(stderr).toContain(
        "1 replica of it lives; stop it first (one that was killed counts until takeOverAfter",
      );
      expect(stderr.includes("It does not stop replicas")).toBe(more.length > 0);
      expect(stderr).toMatch(/try: .*latchkey\S* reactions\n/);
    }
    await line.agents.create("a1");
    await expect.poll(() => met).toEqual(["a1"]);
  });

  test.each([
    [["other"], 4, 'agent has no reaction "other"; it has cleanup'],
    [["Other"], 2, "reaction"],
    [[], 2, "missing required argument 'reaction'"],
    [["cleanup", "--all"], 2, "unknown option '--all'"],
    [["cleanup", "more"], 2, "too many arguments for 'forget'"],
  ])("is %j: %i", async (words, exit, text) => {
    const { run } = await given();
    const ended = await run(["reactions", "forget", ...words]);
    expect(ended).toMatchObject({ exit, stdout: "" });
    expect(ended.stderr).toContain(text);
  });
});

test("forget of a reaction that was forgotten before exits 4", async () => {
  const line = await given();
  await forget(line);
  const again = await forget(line, "-o", "json");
  expect(again).toMatchObject({ exit: 4, stdout: "" });
  expect(jsonError(again)).toMatchObject({ code: "NOTFOUND", reactions: [] });
});

test("forget completes the names of reactions and its own option", async () => {
  const { run } = await given();
  const complete = async (...words: string[]) =>
    (await run(["__complete", "--", "reactions", "forget", ...words], { LATCHKEY_COMPLETION_MS: "20000" }))
      .stdout;
  expect(await complete("")).toBe("cleanup\n");
  expect(await complete("cleanup", "--fo")).toBe("--force\n");
});

test("stats weighs the keys of reactions, and none once they are forgotten", async () => {
  const line = await given(3);
  const memory = async () => JSON.parse((await line.run(["stats", "-o", "json"])).stdout).memory;
  const { reactions, total } = await memory();
  const valkey = await admin();
  const all = await valkey.keys(`{${line.namespace}:0}:*`);
  const keys = all.filter((key) => !key.endsWith(":machines")); // the list belongs to the namespace
  const sizes = await Promise.all(
    keys.map(async (key) => [key, Number(await valkey.memory("USAGE", key))] as const),
  );
  const sum = (of: readonly (readonly [string, number])[]) => of.reduce((all, [, size]) => all + size, 0);
  const its = sizes.filter(([key]) => key.includes(":reaction:cleanup:"));
  expect(its.length).toBeGreaterThan(1);
  expect(reactions).toEqual({ keys: its.length, bytes: sum(its) });
  expect(total).toEqual({ keys: keys.length, bytes: sum(sizes) });
  expect((await line.run(["stats"])).stdout).toMatch(/^reactions +\d+ +\S+ +\S+B$/m);
  await forget(line, "--force");
  expect((await memory()).reactions).toEqual({ keys: 0, bytes: 0 });
  expect((await line.run(["stats"])).stdout).toMatch(/^reactions +0 +0B +<none>$/m);
});
