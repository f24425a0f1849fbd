import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { freePort } from "../../src/server/port.js";
import { type ServerOptions, startValkey } from "../../src/testing/index.js";
import { freshFolder } from "../helpers/folder.js";
import { command, pinged } from "../helpers/ping.js";

async function started(options: ServerOptions = {}) {
  const server = await startValkey({ prefer: "container", ...options });
  onTestFinished(() => server.stop());
  return server;
}

describe("startValkey with a container preferred", () => {
  test("brings up a server in a container that answers on the url it returns", async () => {
    const server = await started();
    expect(server.kind).toBe("container");
    expect(server.url).toBe(`valkey://${server.host}:${server.port}`);
    const socket = await pinged(server);
    expect(await command(socket, "CONFIG GET maxmemory-policy")).toContain("noeviction");
    socket.destroy();
  });

  test("runs a script there", async () => {
    const socket = await pinged(await started());
    expect(await command(socket, `EVAL "return redis.call('SET',KEYS[1],ARGV[1])" 1 latch key`)).toBe(
      "+OK\r\n",
    );
    socket.destroy();
  });

  test("falls back to a container when no program is installed", async () => {
    const server = await startValkey({ env: { ...process.env, PATH: "" }, usualPlaces: [] });
    onTestFinished(() => server.stop());
    expect(server.kind).toBe("container");
  });

  test("takes the port that is asked for", async () => {
    const port = await freePort();
    const server = await started({ port });
    expect(server.port).toBe(port);
    (await pinged(server)).destroy();
  });

  test("keeps an append-only file in a given data folder", async () => {
    const dataDir = join(await freshFolder(), "data");
    const server = await started({ dataDir, appendOnly: true });
    const socket = await pinged(server);
    expect(await command(socket, "SET latch key")).toBe("+OK\r\n");
    socket.destroy();
    await server.stop();
    expect(existsSync(join(dataDir, "appendonlydir"))).toBe(true);
    expect(await readdir(join(dataDir, "appendonlydir"))).not.toEqual([]);
  });

  test("is gone when stop returns, and may be stopped twice", async () => {
    const server = await started();
    await server.stop();
    await server.stop();
    await expect(pinged(server)).rejects.toThrow("ECONNREFUSED");
  });

  test("names an image that cannot be had", async () => {
    const attempt = startValkey({ prefer: "container", image: "latchkey-no-such-image:never" });
    await expect(attempt).rejects.toThrow("A container of latchkey-no-such-image:never could not be started");
  });

  test("rejects an argument that latchkey sets itself", async () => {
    await expect(startValkey({ prefer: "container", args: ["--port", "1"] })).rejects.toThrow(
      "use the option port",
    );
  });
});
