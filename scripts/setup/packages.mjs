import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SetUpError } from "./set-up-error.mjs";

/** Installs the npm packages of the lockfile. */
export const packages = {
  /** npm's own record of what it installed is the stamp: it is written last, and by any npm command. */
  isPending(root) {
    const wanted = read(join(root, "package-lock.json"));
    const installed = read(join(root, "node_modules/.package-lock.json"));
    if (wanted === undefined) throw new SetUpError("package-lock.json cannot be read.");
    return installed === undefined || !sameTree(wanted, installed);
  },

  announcement: () => "installing the npm packages of the lockfile (npm ci)",

  run(root) {
    // npm names itself to the scripts it runs; outside of them it is on PATH.
    const npm = process.env.npm_execpath;
    const [command, first] = npm === undefined ? ["npm", []] : [process.execPath, [npm]];
    const flags = ["ci", "--include=dev", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error"];
    const { status, error } = spawnSync(command, [...first, ...flags], {
      cwd: root,
      stdio: ["ignore", "ignore", 2],
    });
    if (status !== 0) throw new SetUpError(`npm ci failed (${error?.message ?? `exit code ${status}`}).`);
  },
};

/** Returns true if exactly the packages of the lockfile are installed, in their versions. */
export function sameTree(wanted, installed) {
  const have = new Map(Object.entries(installed.packages));
  for (const [path, { version, optional }] of Object.entries(wanted.packages)) {
    if (path === "") continue; // the project itself
    if (!have.has(path) && optional) continue; // for another platform
    if (have.get(path)?.version !== version) return false;
    have.delete(path);
  }
  return have.size === 0;
}

function read(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
