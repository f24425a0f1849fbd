import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { ServerStartError } from "../../src/errors/server-start-error.js";
import { findServer } from "../../src/server/find.js";
import { freePort } from "../../src/server/port.js";
import { type SpawnOptions, spawnServer } from "../../src/server/spawn.js";
import { freshFolder, shellScript } from "../helpers/folder.js";
import { command, pinged } from "../helpers/ping.js";

let bin: string;
beforeAll(async () => {
  const { program } = await findServer();
  if (program === undefined) throw new Error("These tests need a server program on this machine.");
  bin = program.bin;
});

async function started(options: Partial<SpawnOptions> = {}) {
  const server = await spawnServer({ bin, ...options });
  onTestFinished(() => server.stop());
  return server;
}

async function failure(options: Partial<SpawnOptions>): Promise<Error> {
  return started(options).then(
    () => expect.unreachable("the server started"),
    (cause) => cause,
  );
}

describe("spawnServer", () => {
  test("starts a server that answers on the url it returns", async () => {
    const server = await started();
    expect(server.url).toBe(`valkey://${server.host}:${server.port}`);
    const socket = await pinged(server);
    expect(await command(socket, "INFO server")).toContain(`process_id:${server.pid}`);
    socket.destroy();
  });

  test("uses the given port", async () => {
    const port = await freePort();
    const server = await started({ port });
    expect(server.port).toBe(port);
    (await pinged(server)).destroy();
  });

  test("names a port that another program holds", async () => {
    const { port } = await started();
    const error = await failure({ port });
    expect(error).toBeInstanceOf(ServerStartError);
    expect(error.message).toContain(`Port ${port} is in use by another program.`);
    expect(error.message).toMatch(/\| .*Address already in use/);
  });

  test("tries another port when a free one was taken in the meantime", async () => {
    const folder = await freshFolder();
    const wrapper = await shellScript(
      folder,
      "valkey-server",
      `if mkdir "${folder}/tried"; then echo "bind: Address already in use"; exit 1; fi; exec ${bin} "$@"`,
    );
    const server = await started({ bin: wrapper });
    expect(existsSync(join(folder, "tried"))).toBe(true);
    (await pinged(server)).destroy();
  });

  test("gives up when every free port is taken in the meantime", async () => {
    const folder = await freshFolder();
    const wrapper = await shellScript(folder, "valkey-server", 'echo "bind: Address already in use"; exit 1');
    expect(await failure({ bin: wrapper })).toMatchObject({ code: "SERVER_START", portInUse: true });
  });

  test("shows the last lines of a server that ends before it is ready, without its passwords", async () => {
    const error = await failure({ args: ["--requirepass", "hunter2", "again"] });
    expect(error.message).toMatch(/ended before it was ready \(exit code 1\):\n/);
    expect(error.message).toContain("wrong number of arguments");
    expect(error.message).not.toContain("hunter2");
  });

  test("names the program that could not be started", async () => {
    const missing = join(await freshFolder(), "valkey-server");
    expect((await failure({ bin: missing })).message).toContain(`${missing} could not be started`);
  });

  test("removes its temporary folder when it stops", async () => {
    const server = await started();
    expect(existsSync(server.dataDir)).toBe(true);
    await server.stop();
    expect(existsSync(server.dataDir)).toBe(false);
  });

  test("has ended when stop returns, and can be stopped twice", async () => {
    const server = await started();
    await server.stop();
    await server.stop();
    const [error] = await once(connect(server.port, server.host), "error");
    expect(error).toMatchObject({ code: "ECONNREFUSED" });
  });

  test("keeps a given data folder, and with appendOnly its data", async () => {
    const dataDir = join(await freshFolder(), "made", "for", "it");
    const first = await started({ dataDir, appendOnly: true });
    const writing = await pinged(first);
    expect(await command(writing, "SET latch key")).toBe("+OK\r\n");
    await first.stop();
    const second = await started({ dataDir, appendOnly: true });
    const reading = await pinged(second);
    expect(await command(reading, "GET latch")).toBe("$3\r\nkey\r\n");
    reading.destroy();
  });

  test("names a data folder that cannot be created", async () => {
    const file = join(await freshFolder(), "file");
    await writeFile(file, "");
    const error = await failure({ dataDir: join(file, "data") });
    expect(error.message).toContain(`The data folder "${join(file, "data")}" cannot be made`);
  });

  test("passes further arguments on to the server", async () => {
    const socket = await pinged(await started({ args: ["--maxmemory", "50mb"] }));
    expect(await command(socket, "CONFIG GET maxmemory")).toContain("52428800");
    socket.destroy();
  });

  test.each([
    [["--port", "1"], "--port is not accepted: use the option port"],
    [["--DIR", "/"], "--DIR is not accepted: use the option dataDir"],
    [["--daemonize", "yes"], "--daemonize is not accepted: the server must stay a child"],
  ])("rejects the argument %j", async (args, message) => {
    expect((await failure({ args })).message).toContain(message);
  });

  test.each([0, -1, 65_536, 1.5, Number.NaN])("rejects the port %d", async (port) => {
    expect((await failure({ port })).message).toContain("port must be a whole number from 1 to 65535");
  });

  test("settles ended if another process kills the server", async () => {
    const server = await started();
    process.kill(server.pid, "SIGKILL");
    await server.ended;
    expect(existsSync(server.dataDir)).toBe(false);
  });
});
