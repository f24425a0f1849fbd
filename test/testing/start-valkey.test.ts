import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { ContractError } from "../../src/index.js";
import { findServer } from "../../src/server/find.js";
import { type ServerOptions, startValkey } from "../../src/testing/index.js";
import { rejectionOf } from "../helpers/client.js";
import { freshFolder, shellScript } from "../helpers/folder.js";
import { inNode } from "../helpers/node.js";
import { command, pinged } from "../helpers/ping.js";

async function started(options: ServerOptions = {}) {
  const server = await startValkey(options);
  onTestFinished(() => server.stop());
  return server;
}

/** `startValkey` of the built package in a folder without node_modules, as for a user who has not installed testcontainers. */
async function withoutTestcontainers(code: string): Promise<unknown> {
  const cwd = await freshFolder();
  await writeFile(join(cwd, "package.json"), '{ "type": "module" }');
  for (const part of ["contract", "errors", "machine", "server", "testing", "valkey"]) {
    const built = fileURLToPath(new URL(`../../dist/${part}`, import.meta.url));
    await cp(built, join(cwd, part), { recursive: true });
  }
  return inNode(`import { startValkey } from ${JSON.stringify(join(cwd, "testing/start.js"))};\n${code}`, {
    cwd,
  });
}

describe("startValkey", () => {
  test("starts a local server without options", async () => {
    const server = await started();
    expect(server.kind).toBe("local");
    (await pinged(server)).destroy();
  });

  test.each([
    [null, "options must be an object"],
    [{ foo: 1 }, 'unknown option "foo"'],
    [{ dataDir: 5 }, "dataDir must be text, not a number"],
    [{ appendOnly: "x" }, "appendOnly must be true or false, not text"],
    [{ args: 5 }, "args must be a list of texts, not a number"],
    [{ args: [5] }, "args must be text, not a number"],
    [{ prefer: "x" }, 'prefer must be "local" or "container", not "x"'],
    [{ onNotice: 5 }, "onNotice must be a function, not a number"],
  ])("rejects %j as an invalid argument", async (options, text) => {
    const error = await rejectionOf(ContractError, startValkey(options as ServerOptions));
    expect(error.code).toBe("BADARG");
    expect(error.message).toContain(text);
  });

  test("does not use a running server that the environment names", async () => {
    const running = await started();
    const server = await started({ env: { ...process.env, LATCHKEY_URL: running.url } });
    expect(server.port).not.toBe(running.port);
  });

  test("starts independent servers", async () => {
    const sockets = await Promise.all([started(), started()].map(async (server) => pinged(await server)));
    const [one, other] = sockets;
    if (one === undefined || other === undefined) return expect.unreachable();
    await command(one, "SET latch one");
    expect(await command(other, "GET latch")).toBe("$-1\r\n");
    for (const socket of sockets) socket.destroy();
  });

  test("is stopped by asynchronous disposal", async () => {
    const server = await started();
    await server[Symbol.asyncDispose]();
    await expect(pinged(server)).rejects.toThrow("ECONNREFUSED");
  });

  test("passes on the notice that it runs Redis", async () => {
    const { program } = await findServer();
    const folder = await freshFolder();
    const says = 'echo "Redis server v=7.4.0 sha=00000000:0"';
    await shellScript(
      folder,
      "redis-server",
      `[ "$1" = --version ] && ${says} && exit; exec ${program?.bin} "$@"`,
    );
    const notices: string[] = [];
    const onNotice = (line: string) => void notices.push(line);
    const server = await started({ env: { PATH: folder }, usualPlaces: [], onNotice });
    (await pinged(server)).destroy();
    expect(notices).toEqual([`Using ${folder}/redis-server (redis 7.4.0): no valkey-server was found.`]);
  });

  test("lists missing programs if there is neither a server program nor testcontainers", async () => {
    const error = await withoutTestcontainers(`
      const error = await startValkey({ env: { PATH: "" }, usualPlaces: [] }).catch((cause) => cause);
      console.log(JSON.stringify({ code: error.code, looked: error.looked }));
    `);
    expect(error).toEqual({
      code: "NO_VALKEY",
      looked: [
        { where: "$LATCHKEY_VALKEY_BIN", result: "not set" },
        { where: "valkey-server on PATH", result: "not found" },
        { where: "redis-server on PATH", result: "not found" },
        {
          where: "Docker (valkey/valkey:9.0.8)",
          result: "testcontainers is not installed (npm install --save-dev testcontainers)",
        },
      ],
    });
  });

  test("reports if it starts a program although a container was preferred", async () => {
    const outcome = await withoutTestcontainers(`
      const notices = [];
      const server = await startValkey({ prefer: "container", image: "x", onNotice: (line) => notices.push(line) });
      await server.stop();
      console.log(JSON.stringify({ kind: server.kind, notices }));
    `);
    expect(outcome).toEqual({
      kind: "local",
      notices: [
        "No container: testcontainers is not installed (npm install --save-dev testcontainers). Using a local server.",
      ],
    });
  });
});
