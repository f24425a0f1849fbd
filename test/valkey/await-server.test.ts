import { expect, it, onTestFinished } from "vitest";
import {
  ConnectError,
  type ConnectOptions,
  ContractError,
  connect,
  LayoutError,
  NotExecutedError,
} from "../../src/index.js";
import { freePort } from "../../src/server/port.js";
import { startValkey } from "../../src/testing/index.js";
import { silentLogger } from "../../src/valkey/logger.js";
import { client, rejection, rejectionOf } from "../helpers/client.js";
import { ownServer } from "../helpers/doctor.js";
import { startProxy } from "../helpers/proxy.js";
import { recordingLogger } from "../helpers/secrets.js";
import { useValkey } from "../helpers/valkey.js";

it.each<NonNullable<ConnectOptions["retry"]>>([true, { for: "1m" }])(
  "waits for a server that is not up yet: retry %j",
  async (retry) => {
    const port = await freePort();
    const { lines, logger } = recordingLogger();
    const connecting = connect({ url: `valkey://127.0.0.1:${port}`, retry, logger });
    const logged = (text: string) => expect.poll(() => lines.join("\n")).toContain(text);
    await logged("the server is not up yet; waiting");
    const server = await startValkey({ port });
    onTestFinished(() => server.stop());
    const latchkey = await connecting;
    await logged("the server is up");
    await latchkey.close();
  },
);

it("gives up when the time is up, with the last cause", async () => {
  const url = `valkey://127.0.0.1:${await freePort()}`;
  const error = await rejectionOf(ConnectError, connect({ url, retry: { for: 300 } }));
  expect(error.reason).toBe("refused");
  await rejectionOf(ConnectError, connect({ url }));
});

it("makes a last attempt when the time is up, however long the delay is", async () => {
  const proxy = await startProxy(await useValkey());
  proxy.shut(true);
  const logger = { ...silentLogger, warn: () => proxy.shut(false) };
  const retry = { for: "2s", delay: "1h" } as const;
  const latchkey = await connect({ url: proxy.url, retry, logger });
  await latchkey.close();
});

it("waits for a frozen server with TLS too", async () => {
  const proxy = await startProxy(await useValkey());
  proxy.freeze(true);
  const stop = new AbortController();
  const url = `valkeys://localhost:${proxy.port}`;
  const retry = { delay: 1, signal: stop.signal };
  const connecting = rejection(connect({ url, connectTimeoutMs: 50, retry }));
  await expect.poll(() => proxy.frozen).toBeGreaterThan(2);
  stop.abort(new Error("stopping"));
  expect((await connecting).message).toBe("stopping");
});

it.each([0, 2])("gives up after %i retries", async (attempts) => {
  const url = `valkey://127.0.0.1:${await freePort()}`;
  const { lines, logger } = recordingLogger();
  const error = await rejectionOf(ConnectError, connect({ url, retry: { attempts, delay: 1 }, logger }));
  expect(error.reason).toBe("refused");
  expect(lines.filter((line) => line.includes("is not up yet"))).toHaveLength(attempts);
});

it("ends the wait when the signal is aborted", async () => {
  const stop = new AbortController();
  const url = `valkey://127.0.0.1:${await freePort()}`;
  const connecting = rejection(connect({ url, retry: { signal: stop.signal } }));
  stop.abort(new Error("stopping"));
  expect((await connecting).message).toBe("stopping");
});

it("fails at once for a cause that does not pass", async () => {
  const { server, admin } = await ownServer();
  await admin.call("ACL", "SETUSER", "known", "on", ">right");
  const url = `valkey://known:wrong@127.0.0.1:${server.port}`;
  expect((await rejectionOf(ConnectError, connect({ url, retry: true }))).reason).toBe("auth");
  await admin.hset("{latchkey}:meta", "layout", "1", "partitions", "1");
  await rejectionOf(LayoutError, connect({ url: server.url, retry: true }));
});

it.each([
  ["yes"],
  [null],
  [{ fro: "1s" }],
  [{ for: "soon" }],
  [{ signal: 1 }],
  [{ attempts: 0.5 }],
  [{ delay: "x" }],
])("rejects retry %j", async (retry) => {
  const { url } = await useValkey();
  const error = await rejectionOf(ContractError, connect({ url, retry } as unknown as ConnectOptions));
  expect(error.code).toBe("BADARG");
});

it("ping returns the latency and the server's time, and rejects if there is no reply", async () => {
  const proxy = await startProxy(await useValkey());
  const latchkey = await client({ url: proxy.url });
  const { address, latencyMs, serverTimeMs, role } = await latchkey.ping();
  expect(role).toBe("primary");
  expect(address).toBe(latchkey.address);
  expect(latencyMs).toBeGreaterThan(0);
  const { nowMs } = await latchkey.serverTime();
  expect(nowMs).toBeGreaterThanOrEqual(serverTimeMs);
  proxy.shut(true);
  proxy.cut();
  const error = await rejectionOf(NotExecutedError, latchkey.ping({ timeout: 50 }));
  expect(error.message).toBe(`ping was not answered: not connected to ${latchkey.address}`);
});

it("ping finds a namespace that was created anew, also if the connection was never lost", async () => {
  const { server, admin } = await ownServer();
  const latchkey = await client({ url: server.url, namespace: "t" });
  await latchkey.init(1);
  await admin.flushall();
  await (await client({ url: server.url, namespace: "t" })).init(4);
  await rejectionOf(LayoutError, latchkey.ping());
  await rejectionOf(LayoutError, latchkey.machines());
});
