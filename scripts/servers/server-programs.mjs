import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { withLock } from "../setup/lock.mjs";
import { SetUpError } from "../setup/set-up-error.mjs";
import { downloadPackages } from "./apt-download.mjs";
import { RELEASES } from "./releases.mjs";

/** Returns the folder that keeps the unpacked servers. */
export function cacheFolder(env = process.env) {
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "latchkey/servers");
}

/**
 * Returns the folder with the programs of a release, such as `valkey-server` and `valkey-cli`. The first call downloads and
 * unpacks them; nothing is installed.
 *
 * @throws SetUpError if no mirror has the package, or if it has another version.
 */
export async function serverPrograms(name, say) {
  const cache = cacheFolder();
  const folder = join(cache, name);
  const onWait = (pid) => say(`waiting for another download (pid ${pid}, ${cache}/lock)`);
  await withLock(join(cache, "lock"), onWait, async () => {
    if (existsSync(folder)) return;
    const { package: packageName, suites } = RELEASES[name];
    say(`downloading ${packageName} of Debian ${suites.join(" and ")} to ${folder}`);
    const temporary = mkdtempSync(join(cache, "new-"));
    try {
      const made = join(temporary, name);
      unpack(downloadPackages(packageName, suites, join(temporary, "apt")), join(made, "root"));
      writeStarters(made);
      checkVersion(name, join(made, "bin", packageName));
      renameSync(made, folder);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  });
  return join(folder, "bin");
}

function unpack(files, root) {
  mkdirSync(root, { recursive: true });
  for (const file of files) {
    const { status } = spawnSync("dpkg-deb", ["-x", file, root], { stdio: ["ignore", "ignore", 2] });
    if (status !== 0) throw new SetUpError(`${basename(file)} could not be unpacked, see above.`);
  }
}

/** Writes a script for each program, which starts it with the loader and the libraries of its own release. */
function writeStarters(folder) {
  const root = join(folder, "root");
  const loader = readdirSync(root, { recursive: true }).find((path) =>
    /lib\/[^/]+\/ld-linux[^/]*\.so\.\d+$/.test(path),
  );
  if (loader === undefined) throw new SetUpError("The packages contain no loader of programs.");
  const libraries = [`lib/${basename(dirname(loader))}`, `usr/lib/${basename(dirname(loader))}`];
  const names = readdirSync(join(root, "usr/bin")).filter((name) => /^(valkey|redis)-/.test(name));
  mkdirSync(join(folder, "bin"));
  for (const name of names) {
    const path = libraries.map((library) => `$root/${library}`).join(":");
    const words = `--argv0 "$0" --library-path "${path}" "$root/usr/bin/${name}" "$@"`;
    const text = `#!/bin/sh\nroot=\${0%/*}/../root\nexec "$root/${loader}" ${words}\n`;
    writeFileSync(join(folder, "bin", name), text, { mode: 0o755 });
  }
}

function checkVersion(name, program) {
  const { stdout = "" } = spawnSync(program, ["--version"], { encoding: "utf8" });
  const [, product = "", version] = /^(\w+) server v=(\d+\.\d+)/.exec(stdout ?? "") ?? [];
  const actual = `${product.toLowerCase()}-${version}`;
  if (actual === name) return;
  throw new SetUpError(
    `Debian has ${actual} instead of ${name}. Choose another suite in scripts/servers/releases.mjs.`,
  );
}
