import { mkdir, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { inputsHash } from "../../../scripts/setup/build.mjs";
import { freshFolder } from "../../helpers/folder.js";

async function project(): Promise<string> {
  const root = await freshFolder();
  for (const folder of ["src/lua", "src/reads", "lua", "demo", "scripts/bundle"])
    await mkdir(join(root, folder), { recursive: true });
  for (const file of [
    "package.json",
    "tsconfig.json",
    "src/reads/get.ts",
    "lua/create.lua",
    "scripts/build.mjs",
    "scripts/bundle/notices.mjs",
  ]) {
    await writeFile(join(root, file), file);
  }
  return root;
}

describe("the build's inputs", () => {
  test.each([
    ["a source file changes", (root: string) => writeFile(join(root, "src/reads/get.ts"), "changed")],
    ["a script changes", (root: string) => writeFile(join(root, "lua/create.lua"), "changed")],
    ["the build changes", (root: string) => writeFile(join(root, "scripts/build.mjs"), "changed")],
    [
      "a part of the build changes",
      (root: string) => writeFile(join(root, "scripts/bundle/notices.mjs"), "changed"),
    ],
    ["the settings change", (root: string) => writeFile(join(root, "tsconfig.json"), "changed")],
    ["a file is added", (root: string) => writeFile(join(root, "src/new.ts"), "")],
    ["a file is removed", (root: string) => rm(join(root, "src/reads/get.ts"))],
    ["a file is renamed", (root: string) => rename(join(root, "lua/create.lua"), join(root, "lua/make.lua"))],
  ])("have another hash when %s", async (_, change) => {
    const root = await project();
    const before = inputsHash(root);
    await change(root);
    expect(inputsHash(root)).not.toBe(before);
  });

  test.each([
    ["a file is only touched", (root: string) => utimes(join(root, "lua/create.lua"), 1, 1)],
    ["generated code changes", (root: string) => writeFile(join(root, "src/lua/index.ts"), "generated")],
    ["a script of no build changes", (root: string) => writeFile(join(root, "scripts/lint.mjs"), "")],
  ])("keep their hash when %s", async (_, change) => {
    const root = await project();
    const before = inputsHash(root);
    await change(root);
    expect(inputsHash(root)).toBe(before);
  });
});
