import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import {
  type ContainerOptions,
  containerImage,
  dockerProblem,
  runContainer,
} from "../../src/server/docker.js";
import { resolveEmbedded, startEmbedded } from "../../src/server/resolve.js";
import { command, pinged } from "../helpers/ping.js";

afterEach(() => vi.unstubAllEnvs());

async function started(options: Partial<ContainerOptions> = {}) {
  const server = await runContainer({ image: containerImage(), ...options });
  onTestFinished(() => server.stop());
  return server;
}

/** Settles when a container has been removed, also when that is over already. */
async function removed(id: string): Promise<void> {
  const filters = ["--filter", `container=${id}`, "--filter", "event=destroy"];
  const events = spawn("docker", ["events", "--since", "1m", ...filters]);
  await once(events.stdout, "data");
  events.kill();
}

/** The containers of an image, running or not. */
function containersOf(image: string): string[] {
  const { stdout } = spawnSync("docker", ["ps", "--all", "--quiet", "--filter", `ancestor=${image}`], {
    encoding: "utf8",
  });
  return stdout.split("\n").filter((line) => line !== "");
}

describe("a container run by the docker command", () => {
  test("answers on the url it returns", async () => {
    const server = await started();
    const socket = await pinged(server);
    expect(await command(socket, "CONFIG GET appendonly")).toContain("no");
    socket.destroy();
  });

  test("is removed when it is stopped", async () => {
    const before = containersOf(containerImage());
    const server = await started();
    expect(containersOf(containerImage())).toHaveLength(before.length + 1);
    await server.stop();
    expect(containersOf(containerImage())).toEqual(before);
  });

  test("is chosen if no program is installed", async () => {
    const found = await resolveEmbedded({ env: { ...process.env, PATH: "" }, usualPlaces: [] });
    expect(found).toEqual({ kind: "image", image: containerImage() });
    const server = await startEmbedded(found);
    onTestFinished(() => server.stop());
    (await pinged(server)).destroy();
  });

  test("names a port that another program holds", async () => {
    const { port } = await started();
    await expect(started({ port })).rejects.toMatchObject({ code: "SERVER_START", portInUse: true });
  });

  test("fails with the last lines of a server that ends before it is ready", async () => {
    await expect(started({ args: ["--maxmemory", "plenty"] })).rejects.toThrow(
      /ended before it was ready[\s\S]*maxmemory/,
    );
  });
});

describe("a container whose owner is killed", () => {
  test("is removed all the same", async () => {
    const module = JSON.stringify(new URL("../../dist/server/docker.js", import.meta.url).href);
    const code = `
      import { containerImage, runContainer } from ${module};
      const { host, port } = await runContainer({ image: containerImage() });
      console.log(JSON.stringify({ host, port }));
      process.stdin.resume();
    `;
    const before = containersOf(containerImage());
    const owner = spawn(process.execPath, ["--input-type=module", "--eval", code], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const [line] = await once(createInterface({ input: owner.stdout }), "line");
    const connection = await pinged(JSON.parse(String(line)));
    connection.on("error", () => {}); // a reset is one of the ways to see it go
    const [id = ""] = containersOf(containerImage()).filter((one) => !before.includes(one));
    owner.kill("SIGKILL");
    await Promise.all([once(connection, "close"), removed(id)]);
    expect(containersOf(containerImage())).toEqual(before);
  });
});

describe("dockerProblem", () => {
  test("finds an image that is present", async () => {
    expect(await dockerProblem(containerImage())).toBeUndefined();
  });

  test("describes how to get a missing image", async () => {
    expect(await dockerProblem("latchkey-no-such-image:never")).toBe(
      "image not present (docker pull latchkey-no-such-image:never)",
    );
  });

  test("says that no daemon answers", async () => {
    vi.stubEnv("DOCKER_HOST", "tcp://127.0.0.1:1");
    expect(await dockerProblem(containerImage())).toBe("daemon not reachable");
  });
});
