import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { built, root } from "./built.js";
import { run } from "./run.js";

/** The package as it would be published. */
export interface Packed {
  readonly tarball: string;
  /** Paths inside the package, sorted. */
  readonly files: readonly string[];
}

/** Limit of an npm command in ms, for hung ones: a registry can be slow. */
const NPM_MS = 600_000;

/** Runs npm as a user does, without the variables that `npm test` sets for its children. */
export function npm(cwd: string, ...args: string[]): Promise<string> {
  const own = /^(npm_(package|lifecycle|config_local_prefix|config_prefix)|INIT_CWD)/i;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)));
  return run("npm", args, { cwd, env, timeout: NPM_MS });
}

/** Packs the built tree into a folder. Its own build step is left out: dist is built, and others are reading it. */
export async function pack(folder: string): Promise<Packed> {
  await built();
  const listing = await npm(root, "pack", "--ignore-scripts", "--json", "--pack-destination", folder);
  const [packed]: { filename: string; files: { path: string }[] }[] = JSON.parse(listing);
  if (packed === undefined) throw new Error(`npm pack printed ${listing}`);
  return { tarball: join(folder, packed.filename), files: packed.files.map(({ path }) => path).sort() };
}

/** Makes an otherwise empty project and installs a packed package into it, as a user does. */
export async function installed(folder: string, tarball: string): Promise<void> {
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "app", private: true }));
  await npm(folder, "install", "--prefer-offline", "--no-audit", "--no-fund", tarball);
}
