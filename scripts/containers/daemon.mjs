import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

const READY_MS = 60_000;

/** Returns true if the `docker` command reaches a daemon. */
export function daemonAnswers(env = process.env) {
  return spawnSync("docker", ["version"], { env, stdio: "ignore", timeout: 20_000 }).status === 0;
}

/** Returns true if a daemon could be started here: it is installed, and this process is root. */
export function canStartDaemon() {
  const installed = spawnSync("dockerd", ["--version"], { stdio: "ignore" }).status === 0;
  return installed && process.getuid?.() === 0;
}

/**
 * Starts a Docker daemon beside everything that is on this machine: its own socket, images and state, in a
 * temporary folder. Returns the DOCKER_HOST to use and a function that takes it all away again.
 * Throws an Error with the daemon's last lines when it does not come up.
 */
export async function startDaemon() {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-docker-"));
  const host = `unix://${folder}/docker.sock`;
  const log = join(folder, "log");
  const output = openSync(log, "w");
  const places = [`--data-root=${folder}/data`, `--exec-root=${folder}/exec`, `--pidfile=${folder}/pid`];
  const daemon = spawn("dockerd", [`--host=${host}`, ...places], {
    detached: true, // Ctrl-C must not take it before the tests that use it
    stdio: ["ignore", output, output],
  });
  const ended = once(daemon, "exit");

  const stop = async () => {
    daemon.kill("SIGTERM");
    await ended;
    // What is still mounted must not be deleted through.
    const mounts = readFileSync("/proc/mounts", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[1] ?? "");
    const ours = mounts.filter((path) => path.startsWith(`${folder}/`)).reverse();
    for (const path of ours) spawnSync("umount", [path], { stdio: "ignore" });
    rmSync(folder, { recursive: true, force: true });
  };

  for (const end = Date.now() + READY_MS; !daemonAnswers({ ...process.env, DOCKER_HOST: host }); ) {
    if (daemon.exitCode !== null || daemon.signalCode !== null || Date.now() > end) {
      const lines = existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n").slice(-5) : [];
      await stop();
      throw new Error(["dockerd did not come up:", ...lines].join("\n  | "));
    }
    await setTimeout(200);
  }
  return { host, stop };
}
