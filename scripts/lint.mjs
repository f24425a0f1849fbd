// All linters: Biome on TypeScript, JavaScript and JSON, the compiler on the tests (the build does it for src/), luacheck
// on the Lua sources and on the built scripts, and the word list on everything that a person reads.
// If luacheck is missing, it is skipped with a warning. In CI, lint fails instead.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

function run(command, args) {
  return spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] }).status === 0;
}

function haveLuacheck() {
  return spawnSync("luacheck", ["--version"], { stdio: "ignore" }).status === 0;
}

function luaFiles(folder) {
  return readdirSync(join(root, folder), { recursive: true })
    .filter((name) => name.endsWith(".lua"))
    .map((name) => join(folder, name));
}

function luacheck() {
  if (!haveLuacheck()) {
    const line = "luacheck is not installed: sudo apt-get install lua-check (macOS: brew install luacheck)";
    const isCi = process.env.CI === "true";
    console.error(isCi ? `lint: ${line}` : `SKIPPED: the Lua scripts were not checked: ${line}`);
    return !isCi;
  }
  return run("luacheck", ["--quiet", "--codes", ...luaFiles("lua"), ...luaFiles("dist/lua")]);
}

// The built scripts are among the files to check.
if (!run(process.execPath, ["scripts/setup.mjs", "--no-server"])) process.exit(1);
const biome = run(process.execPath, ["node_modules/@biomejs/biome/bin/biome", "check"]);
const types = run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "test"]);
const lua = luacheck();
const words = run(process.execPath, ["scripts/words.mjs"]);
process.exitCode = biome && types && lua && words ? 0 : 1;
