import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { downloadPackages } from "../servers/apt-download.mjs";
import { cacheFolder } from "../servers/server-programs.mjs";

/** Debian 12 has only the first generation of Compose, which has no `--wait`. The program of this suite runs there too. */
const SUITE = "trixie";

/**
 * Makes sure that `docker compose` works: with the plugin that is installed, else with a program from a package of Debian,
 * which is unpacked into a cache folder. Returns the environment variables that it needs.
 *
 * @throws Error if there is neither
 */
export function provideCompose(env, say) {
  if (spawnSync("docker", ["compose", "version"], { env, stdio: "ignore" }).status === 0) return {};
  const folder = join(dirname(cacheFolder(env)), "compose");
  const program = join(folder, "docker-compose");
  if (!existsSync(program)) {
    say(`Docker has no plugin compose; downloading docker-compose of Debian ${SUITE} to ${folder}`);
    mkdirSync(folder, { recursive: true });
    unpack(folder, program);
  }
  const docker = (env.PATH ?? "")
    .split(":")
    .find((path) => path !== folder && existsSync(join(path, "docker")));
  const choose = `[ "$1" != compose ] || { shift; exec "${program}" "$@"; }`;
  writeFileSync(join(folder, "docker"), `#!/bin/sh\n${choose}\nexec "${docker}/docker" "$@"\n`, {
    mode: 0o755,
  });
  return { PATH: `${folder}:${env.PATH}` };
}

function unpack(folder, program) {
  const temporary = mkdtempSync(join(folder, "new-"));
  try {
    const files = downloadPackages("docker-compose", [SUITE], join(temporary, "apt"));
    const archive = files.find((file) => basename(file).startsWith("docker-compose_"));
    const { status } = spawnSync("dpkg-deb", ["-x", archive, temporary], { stdio: ["ignore", "ignore", 2] });
    if (status !== 0) throw new Error(`${basename(archive)} could not be unpacked, see above.`);
    renameSync(join(temporary, "usr/libexec/docker/cli-plugins/docker-compose"), program);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
