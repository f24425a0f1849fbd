// Builds the package into dist/: the Lua first, since the TypeScript imports its texts; the bundle of the command line last.
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildCjs } from "./build-cjs.mjs";
import { buildCli } from "./build-cli.mjs";
import { buildLua } from "./build-lua.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
try {
  for (const name of readdirSync(dist)) rmSync(join(dist, name), { recursive: true });
} catch (error) {
  if (error.code !== "ENOENT") throw error;
}
buildLua();
const require = createRequire(import.meta.url);
const manifest = require.resolve("typescript/package.json");
const compiler = join(dirname(manifest), require(manifest).bin.tsc);
// The demo comes second: it imports the package by its name.
for (const project of ["tsconfig.json", "demo/tsconfig.json"]) {
  const { status } = spawnSync(process.execPath, [compiler, "-p", join(root, project)], { stdio: "inherit" });
  process.exitCode = status ?? 1;
  if (status !== 0) break;
}
if (process.exitCode === 0) {
  await buildCjs();
  await buildCli();
}
