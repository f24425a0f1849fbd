import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { ConnectError, type ConnectOptions, ContractError, connect } from "../../src/index.js";
import { freePort } from "../../src/server/port.js";
import { startValkey, type TestServer } from "../../src/testing/index.js";
import { connectError } from "../../src/valkey/connect-error.js";
import { rejectionOf } from "../helpers/client.js";
import { adminOf } from "../helpers/doctor.js";
import { recordingLogger, textsIn } from "../helpers/secrets.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

const SECRET = "s3cret-of-the-test";

/** The error of a connection that must fail, after a look for secrets in it and in all that was logged. */
async function failure(options: ConnectOptions): Promise<ConnectError> {
  const { logger, lines } = recordingLogger();
  const error = await rejectionOf(ConnectError, connect({ logger, namespace: freshNamespace(), ...options }));
  expect(error.code).toBe("UNREACHABLE");
  for (const text of [...textsIn(error), ...lines]) expect(text).not.toContain(SECRET);
  expect(error.message.startsWith(`cannot use Valkey at ${error.address}: `)).toBe(true);
  return error;
}

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

it("connects once a slow script has ended, where that is in time", async () => {
  const server = await startValkey();
  onTestFinished(() => server.stop());
  const admin = await adminOf(server);
  const other = await adminOf(server);
  await admin.config("SET", "busy-reply-threshold", "20");
  const endless = admin.eval("while true do end", 0).catch((error: unknown) => error);
  await expect.poll(() => other.ping().catch(({ message }: Error) => message)).toMatch(/^BUSY/);
  const { logger, lines } = recordingLogger();
  const connecting = connect({ url: server.url, logger, connectTimeoutMs: 60_000 });
  await expect.poll(() => lines.join("\n")).toContain("BUSY");
  await other.script("KILL");
  const latchkey = await connecting;
  expect(await latchkey.machines()).toEqual([]);
  await latchkey.close();
  await endless;
});

describe("connect names the address and the cause when", () => {
  it("no server listens there", async () => {
    const url = `valkey://me:${SECRET}@127.0.0.1:${await freePort()}/3`;
    const error = await failure({ url });
    expect(error.reason).toBe("refused");
    expect(error.address).toBe(url.replace(`me:${SECRET}@`, ""));
    expect(error.message).toContain("connection refused: no server listens there");
    expect(error.message).toContain("(ECONNREFUSED)");
  });

  it("no server listens at the default address, and only there names the command that starts one", () => {
    const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    const messageFor = (address: string) => connectError(address, [refused]).message;
    for (const address of ["valkey://127.0.0.1:6379", "valkey://localhost:6379"])
      expect(messageFor(address)).toContain("start one with `latchkey dev --port 6379`");
    for (const address of ["valkey://10.0.0.1:6379", "valkey://127.0.0.1:7001"])
      expect(messageFor(address)).not.toContain("latchkey dev");
  });

  it("the host name is unknown", async () => {
    const error = await failure({ url: `valkey://me:${SECRET}@no-such-host.invalid` });
    expect(error.reason).toBe("not-found");
    expect(error.address).toBe("valkey://no-such-host.invalid:6379");
  });

  it("the listener never answers", async () => {
    const port = await listening(createServer(() => {}));
    const error = await failure({ url: `valkey://127.0.0.1:${port}`, connectTimeoutMs: 100 });
    expect(error.reason).toBe("timeout");
    expect(error.address).toBe(`valkey://127.0.0.1:${port}`);
  });

  it("a web server answers", async () => {
    const port = await listening(createHttpServer((_, response) => response.end("hello")));
    expect((await failure({ url: `valkey://:${SECRET}@127.0.0.1:${port}` })).reason).toBe("protocol");
  });

  it("the listener hangs up", async () => {
    const port = await listening(createServer((socket) => socket.end()));
    const error = await failure({ url: `valkey://127.0.0.1:${port}` });
    expect(error.reason).toBe("closed");
    expect(error.message).toContain("the server closed the connection; check host and port");
  });

  it("the server has no such database", async () => {
    const { url } = await useValkey();
    const error = await failure({ url: `${url}/99` });
    expect(error.reason).toBe("database");
    expect(error.address).toBe(`${url}/99`);
  });
});

describe("a server that wants a password", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startValkey({
      args: ["--requirepass", SECRET, "--user", "reader", "on", `>${SECRET}r`, "~*", "&*", "+@read", "+info"],
    });
  });
  afterAll(() => server.stop());

  const address = (user: string) => `valkey://${user}@127.0.0.1:${server.port}`;

  it("lets nobody in without one", async () => {
    const error = await failure({ url: server.url });
    expect(error.reason).toBe("auth");
    expect(error.message).toContain("authentication failed");
  });

  it("lets nobody in with a wrong one", async () => {
    expect((await failure({ url: address(`:${SECRET}x`) })).reason).toBe("auth");
    expect((await failure({ url: address(`nobody:${SECRET}`) })).reason).toBe("auth");
    expect((await failure({ url: address(`:${SECRET}`), password: `other-${SECRET}` })).reason).toBe("auth");
  });

  it("lets those in who have it in the URL or the options", async () => {
    for (const options of [
      { url: address(`:${SECRET}`) },
      { url: address(`default:${encodeURIComponent(SECRET)}`) },
      { url: server.url, password: SECRET },
      { url: address(`:wrong`), username: "default", password: SECRET },
    ]) {
      const latchkey = await connect({ ...options, namespace: freshNamespace() });
      expect(latchkey.address).toBe(server.url);
      await latchkey.close();
    }
  });

  it("names the permission that a user lacks, and shows no secret of a working client", async () => {
    const { logger, lines } = recordingLogger();
    const latchkey = await connect({
      url: address(`reader:${SECRET}r`),
      logger,
      namespace: freshNamespace(),
    });
    onTestFinished(() => latchkey.close());
    const error = await latchkey.init().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "NOTEXECUTED", reply: "NOPERM" });
    for (const text of [...textsIn(error), ...lines]) expect(text).not.toContain(SECRET);
  });
});

it("a server that has no room for another client is named as the cause", async () => {
  const server = await startValkey({ args: ["--maxclients", "1"] });
  onTestFinished(() => server.stop());
  await adminOf(server);
  const error = await failure({ url: server.url });
  expect(error.reason).toBe("maxclients");
  expect(error.message).toContain(
    "the server accepts no more clients: close unused ones, or raise its maxclients",
  );
  expect(error.message).not.toContain("valkeys://");
});

describe("connect rejects a URL", () => {
  for (const [name, url, text] of [
    ["without a scheme", `me:${SECRET}@host`, "unsupported URL scheme me://"],
    ["with a blank", `valkey://me:${SECRET}@ho st:1`, "invalid server URL"],
    ["of another scheme", `http://me:${SECRET}@host`, "unsupported URL scheme http://"],
    ["without a host", "valkey:///1", "the server URL has no host"],
    [
      "whose database is not a number",
      `valkey://me:${SECRET}@host/main`,
      "the path of the server URL must be the number of a database",
    ],
    ["whose password holds a bare %", `valkey://me:${SECRET}%zz@host`, "write %25"],
    ["whose user holds a bare %", `valkey://m%:${SECRET}@host`, "the user in the server URL"],
  ] as const) {
    it(`${name}, without repeating it`, async () => {
      const error = await rejectionOf(ContractError, connect({ url }));
      expect(error.message).toContain(text);
      expect(error.message).toContain("write it like valkey://localhost:6379");
      for (const part of textsIn(error)) expect(part).not.toContain(SECRET);
    });
  }
});

describe("connect rejects", () => {
  it.each([
    ["an unknown option", { timeOut: "1s" }, 'unknown option "timeOut"; did you mean "timeout"?'],
    [
      "a connectTimeoutMs with a unit",
      { connectTimeoutMs: "5s" },
      'connectTimeoutMs must be a whole number from 1 to 2147000000, not "5s"',
    ],
    [
      "a connectTimeoutMs of 0",
      { connectTimeoutMs: 0 },
      "connectTimeoutMs must be a whole number from 1 to 2147000000, not 0",
    ],
    [
      "a connectTimeoutMs that is not a number",
      { connectTimeoutMs: Number.NaN },
      "connectTimeoutMs must be a whole number from 1 to 2147000000, not NaN",
    ],
    [
      "a negative silenceTimeoutMs",
      { silenceTimeoutMs: -5 },
      "silenceTimeoutMs must be a whole number from 1 to 2147000000, not -5",
    ],
    [
      "a connectionName with spaces",
      { connectionName: "orch replica 1" },
      'connectionName must be 1 or more letters, digits or characters such as - _ . : @ /, without spaces, not "orch replica 1"',
    ],
    ["a connectionName of another alphabet", { connectionName: "naïve" }, 'without spaces, not "naïve"'],
    ["an empty connectionName", { connectionName: "" }, 'without spaces, not ""'],
    [
      "tls without a URL of TLS",
      { tls: {} },
      "tls needs a URL of TLS: write valkeys:// instead of valkey://",
    ],
    [
      "tls with Sentinels without TLS",
      { tls: {}, url: "valkey+sentinel://h/p" },
      "tls needs a URL of TLS: write valkeys+sentinel:// instead of valkey+sentinel://",
    ],
    [
      "tls with a Unix socket",
      { tls: {}, url: "unix:///run/v.sock" },
      "tls cannot be used with a Unix socket; omit it",
    ],
    ["an unknown part of retry", { retry: { max: 3 } }, 'unknown option "max" in retry'],
    ["a url that is null", { url: null }, "url must be text, not null"],
    ["a password that is a number", { password: 5 }, "password must be text, not a number"],
    ["tls that is a number", { tls: 5 }, "tls must be an object, not a number"],
    ["a logger that is a number", { logger: 5 }, "logger must be an object, not a number"],
    ["a logger without methods", { logger: {} }, "the methods of a pino logger; it lacks debug"],
    ["a silenceTimeoutMs too long for a timer", { silenceTimeoutMs: 2 ** 31 }, "from 1 to 2147000000"],
  ])("%s", async (_, options, text) => {
    const error = await rejectionOf(ContractError, connect(options as object));
    expect(error.code).toBe("BADARG");
    expect(error.message).toContain(text);
  });
});
