import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { built, root } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { agentCommandLine } from "../helpers/command-line.js";
import { freshFolder } from "../helpers/folder.js";

beforeAll(built);

/** Runs a command for an existing entity, and returns the files of the bundle that it loads. */
async function filesOf(...words: string[]): Promise<string[]> {
  const { run, agents } = await agentCommandLine();
  await agents.create("a1");
  const file = join(await freshFolder(), "loads");
  const preload = join(root, "test/fixtures/loads.cjs");
  const { exit } = await run(words, { NODE_OPTIONS: `--require=${preload}`, LOADS: file });
  expect(exit).toBe(0);
  const loaded = (await readFile(file, "utf8")).split("\n");
  expect(loaded.filter((path) => path.includes("node_modules"))).toEqual([]);
  return loaded.flatMap((path) => path.split("/dist/")[1] ?? []).sort();
}

describe("a command starts fast:", () => {
  test.each(["get a1", "get a1 -o json", "list", "count", "history a1"])(
    "%s loads two files",
    async (line) => {
      expect(await filesOf(...line.split(" "))).toEqual(["bundle/client.cjs", "bundle/main.cjs"]);
    },
  );

  test.each(["--help", "--version"])("%s loads one file", async (word) => {
    expect(await filesOf(word)).toEqual(["bundle/main.cjs"]);
  });

  test("get sends each of its eight requests once", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    const server = await admin();
    await server.config("RESETSTAT");
    expect(await run(["get", "a1"])).toMatchObject({ exit: 0 });
    const stats = await server.info("commandstats");
    const sent = [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)]
      .filter(([, name]) => name !== "config|resetstat")
      .map(([, name, calls]) => `${name} ${calls}`);
    expect(sent.sort()).toEqual([
      "client|setname 1",
      "hgetall 1",
      "hmget 2",
      "info 1",
      "lrange 1",
      "time 1",
      "zmscore 1",
    ]);
  });
});
