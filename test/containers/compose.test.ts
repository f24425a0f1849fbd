import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { containerImage } from "../../src/server/docker.js";
import { command, pinged } from "../helpers/ping.js";

const compose = parse(readFileSync(new URL("../../docker-compose.yml", import.meta.url), "utf8"));
const { valkey } = compose.services;

function docker(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync("docker", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`docker ${args[0]}: ${stderr}`);
  return stdout.trim();
}

/** Settles when a container has printed this text. */
async function logged(id: string, text: string): Promise<void> {
  const logs = spawn("docker", ["logs", "--follow", id]);
  for await (const line of createInterface({ input: logs.stdout })) {
    if (!line.includes(text)) continue;
    logs.kill();
    return;
  }
  throw new Error(`The container ended without printing "${text}".`);
}

describe("docker-compose.yml", () => {
  test("has only keys that docker-compose 1.29 supports", () => {
    expect(Object.keys(compose).sort()).toEqual(["services", "volumes"]);
  });

  test("has a command and a health check that work in the image", async () => {
    const id = docker("run", "--detach", "--publish", "127.0.0.1::6379", containerImage(), ...valkey.command);
    onTestFinished(() => void docker("rm", "--force", "--volumes", id));
    await logged(id, "Ready to accept connections");
    const [, port] = /:(\d+)$/.exec(docker("port", id, "6379/tcp")) ?? [];
    const socket = await pinged({ host: "127.0.0.1", port: Number(port) });
    expect(await command(socket, "CONFIG GET append*")).toContain("everysec");
    expect(await command(socket, "CONFIG GET appendonly")).toContain("yes");
    expect(await command(socket, "CONFIG GET maxmemory-policy")).toContain("noeviction");
    socket.destroy();
    const [kind, ...check] = valkey.healthcheck.test;
    expect([kind, docker("exec", id, ...check)]).toEqual(["CMD", "PONG"]);
  });
});
