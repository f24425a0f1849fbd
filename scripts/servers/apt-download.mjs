import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { aptSources, release } from "../setup/apt.mjs";
import { suitesSource } from "../setup/apt-sources.mjs";
import { SetUpError } from "../setup/set-up-error.mjs";

/**
 * Downloads a package of other suites of Debian with everything that it depends on, down to the C library, and returns the
 * paths of the files. apt checks signatures as always, but keeps its lists and files in `folder`: the sources and the
 * packages of this machine stay as they are. Needs no root.
 */
export function downloadPackages(name, suites, folder) {
  const { ID, VERSION_CODENAME: codename } = release();
  const source = ID === "debian" ? suitesSource(aptSources(), codename, suites) : undefined;
  if (source === undefined) {
    throw new SetUpError(
      `${name} comes from a mirror of Debian, and apt on this machine has none. Run this on Debian.`,
    );
  }
  const [sources, lists, archives] = ["sources", "lists", "archives"].map((part) => join(folder, part));
  for (const path of [sources, join(lists, "partial"), join(archives, "partial")])
    mkdirSync(path, { recursive: true });
  writeFileSync(join(sources, "debian.sources"), source);
  const status = join(folder, "status"); // no package is installed, so apt downloads every dependency
  writeFileSync(status, "");
  const settings = {
    "Dir::Etc::sourcelist": "/dev/null",
    "Dir::Etc::sourceparts": sources,
    "Dir::Etc::preferences": "/dev/null",
    "Dir::Etc::preferencesparts": "/dev/null",
    "Dir::State::lists": lists,
    "Dir::State::status": status,
    "Dir::Cache": folder,
    "Dir::Cache::archives": archives,
    "APT::Default-Release": "",
    "APT::Sandbox::User": "root", // apt's own user may not enter the folder
    "Debug::NoLocking": "true", // the lock is that of the installed packages
  };
  const options = Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  apt([...options, "update"]);
  apt([...options, "install", "--download-only", "--yes", "--no-install-recommends", name]);
  return readdirSync(archives)
    .filter((file) => file.endsWith(".deb"))
    .map((file) => join(archives, file));
}

function apt(args) {
  const { status } = spawnSync("apt-get", ["-qq", ...args], {
    stdio: ["ignore", "ignore", 2],
    env: { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
  });
  if (status !== 0) throw new SetUpError(`apt-get failed (exit code ${status}), see above.`);
}
