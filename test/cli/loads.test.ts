import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { built, root } from "../helpers/built.js";
import { agentCommandLine } from "../helpers/command-line.js";
import { freshFolder } from "../helpers/folder.js";

beforeAll(built);

const preload = pathToFileURL(join(root, "test/fixtures/loads.mjs")).href;

test.each([
  ["get", ["get", "a1"]],
  ["list", ["list"]],
  ["count", ["count"]],
  ["history", ["history", "a1"]],
])("%s loads no scripts, changes, events or drawings, so that it starts fast", async (_, words) => {
  const { run, agents } = await agentCommandLine();
  await agents.create("a1");
  const file = join(await freshFolder(), "loads");
  const { exit } = await run(words, { NODE_OPTIONS: `--import=${preload}`, LOADS: file });
  expect(exit).toBe(0);
  const loaded = (await readFile(file, "utf8")).split("\n").map((url) => url.split("/dist/")[1] ?? "");
  expect(loaded).toContain("cli/main.js");
  expect(
    loaded.filter((name) => /^(lua|events)\/|^(store\/transition|machine\/mermaid)\.js$/.test(name)),
  ).toEqual([]);
});
