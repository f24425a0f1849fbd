// Writes the API reference, docs/reference/api/, from the docstrings of the package's entries. An export or a method
// without a docstring fails.
//
//   node scripts/docs-api.mjs            writes the pages
//   node scripts/docs-api.mjs --check    writes nothing; fails if the pages differ from the docstrings
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { packages } from "./setup/packages.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const tool = join(root, "scripts/api-docs");
const PAGES = "docs/reference/api";

function node(...args) {
  return (
    spawnSync(process.execPath, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] }).status === 0
  );
}

function generate(out) {
  // One entry, src/lua/, is built.
  if (!node("scripts/setup.mjs", "--no-server")) return false;
  if (packages.isPending(tool)) packages.run(tool);
  const typedoc = join(tool, "node_modules/typedoc/bin/typedoc");
  return node(typedoc, "--options", join(tool, "typedoc.json"), "--logLevel", "Warn", "--out", out);
}

/** Returns the files below a folder as a map from path to text. */
function texts(folder) {
  const paths = existsSync(folder) ? readdirSync(folder, { recursive: true }) : [];
  const files = paths.filter((path) => statSync(join(folder, path)).isFile());
  return new Map(files.map((path) => [path, readFileSync(join(folder, path), "utf8")]));
}

function check() {
  const fresh = mkdtempSync(join(tmpdir(), "latchkey-api-"));
  try {
    if (!generate(fresh)) return false;
    const [expected, found] = [texts(fresh), texts(join(root, PAGES))];
    const paths = [...new Set([...expected.keys(), ...found.keys()])].sort();
    const stale = paths.filter((path) => expected.get(path) !== found.get(path));
    for (const path of stale)
      console.error(`${PAGES}/${path} differs from the docstrings: run npm run docs:api`);
    return stale.length === 0;
  } finally {
    rmSync(fresh, { recursive: true });
  }
}

const args = process.argv.slice(2);
if (args.some((arg) => arg !== "--check")) {
  console.error("usage: node scripts/docs-api.mjs [--check]");
  process.exitCode = 2;
} else {
  const isDone = args.length > 0 ? check() : generate(join(root, PAGES));
  process.exitCode = isDone ? 0 : 1;
}
