import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SetUpError } from "./set-up-error.mjs";

/** Lies in dist, so that every other build, which empties dist, takes it away. */
const STAMP = "dist/.built-from";
const GENERATED = "src/lua";

/** Builds dist when something it is made from has changed. */
export const build = {
  isPending(root) {
    const stamp = join(root, STAMP);
    if (!existsSync(stamp) || !existsSync(join(root, GENERATED))) return true;
    return readFileSync(stamp, "utf8") !== inputsHash(root);
  },

  announcement: () => "building (scripts/build.mjs)",

  run(root) {
    // Taken before the build: a file saved while it runs is then seen as changed next time.
    const hash = inputsHash(root);
    const { status } = spawnSync(process.execPath, [join(root, "scripts/build.mjs")], {
      cwd: root,
      stdio: ["ignore", 2, 2],
    });
    if (status !== 0) throw new SetUpError("The build failed, see above.");
    writeFileSync(join(root, STAMP), hash);
  },
};

/** A hash of the names and contents of all files that the build reads. */
export function inputsHash(root) {
  const hash = createHash("sha256");
  for (const path of inputs(root)) {
    const content = readFileSync(join(root, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

function inputs(root) {
  const top = readdirSync(root).filter((name) => /^(package|package-lock|tsconfig.*)\.json$/.test(name));
  const scripts = readdirSync(join(root, "scripts")).filter((name) => name.startsWith("build"));
  const folders = ["src", "lua", "demo", "scripts/bundle"].flatMap((folder) => filesBelow(root, folder));
  return [...top, ...scripts.map((name) => `scripts/${name}`), ...folders].sort();
}

function filesBelow(root, folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (path === GENERATED) return [];
    return entry.isDirectory() ? filesBelow(root, path) : [path];
  });
}
