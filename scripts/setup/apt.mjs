import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { backportsSource, offersSuite, parseAptSources } from "./apt-sources.mjs";
import { SetUpError } from "./set-up-error.mjs";

const APT = "/etc/apt";

/** Returns true if this process may install packages with apt: root on Debian, Ubuntu or a derivative. */
export function canInstall() {
  return process.getuid?.() === 0 && onPath("apt-get");
}

/**
 * Installs a package, from the release's backports where the release itself has none.
 * Says each thing before doing it. Returns false when apt has no such package at all.
 */
export function install(name, say) {
  if (!hasCandidate(name)) {
    say(`asking apt for its current lists (apt-get update), to find ${name}`);
    apt(["update", "-qq"]);
  }
  if (!hasCandidate(name)) addBackports(name, say);
  if (!hasCandidate(name)) {
    say(`apt offers no ${name} for ${release().PRETTY_NAME}`);
    return false;
  }
  say(`installing ${name} (apt-get install ${name})`);
  apt(["install", "-y", "-qq", "--no-install-recommends", name]);
  return true;
}

/** Returns the fields of /etc/os-release; empty if the file does not exist. */
export function release(path = "/etc/os-release") {
  if (!existsSync(path)) return {};
  const lines = readFileSync(path, "utf8").matchAll(/^([A-Z_]+)="?([^"\n]*)"?$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name, value]));
}

/** All sources apt knows below a folder such as /etc/apt. */
export function aptSources(folder = APT) {
  const parts = join(folder, "sources.list.d");
  const names = existsSync(parts) ? readdirSync(parts).filter((name) => /\.(list|sources)$/.test(name)) : [];
  const files = ["sources.list", ...names.map((name) => `sources.list.d/${name}`)];
  return files
    .filter((file) => existsSync(join(folder, file)))
    .flatMap((file) => parseAptSources(file, readFileSync(join(folder, file), "utf8")));
}

function addBackports(name, say) {
  const { ID, VERSION_CODENAME: codename } = release();
  const suite = `${codename}-backports`;
  const sources = aptSources();
  if (ID !== "debian" || codename === undefined || offersSuite(sources, suite)) return;
  const text = backportsSource(sources, codename);
  if (text === undefined) return;
  const file = join(APT, "sources.list.d", `${suite}.sources`);
  say(`${name} is in ${suite}: writing ${file}, with the mirror of ${codename}, and updating apt's lists`);
  writeFileSync(file, text);
  apt(["update", "-qq"]);
}

/** Returns true if apt can install this package with its current lists. */
export function hasCandidate(name) {
  const { stdout } = spawnSync("apt-cache", ["policy", name], { encoding: "utf8", env: plainEnv() });
  return /^ {2}Candidate: (?!\(none\))/m.test(stdout ?? "");
}

function apt(args) {
  // apt waits for another apt to finish instead of failing at once.
  const options = ["-o", "DPkg::Lock::Timeout=300"];
  const { status } = spawnSync("apt-get", [...options, ...args], {
    stdio: ["ignore", "ignore", 2],
    env: plainEnv(),
  });
  if (status !== 0) throw new SetUpError(`apt-get ${args[0]} failed (exit code ${status}), see above.`, 7);
}

function plainEnv() {
  return { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
}

function onPath(command) {
  return (process.env.PATH ?? "").split(":").some((folder) => existsSync(join(folder, command)));
}
