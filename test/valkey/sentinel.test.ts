import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { agent, ConnectError, ContractError, connect } from "../../src/index.js";
import { freePort } from "../../src/server/port.js";
import { startValkey } from "../../src/testing/index.js";
import { addressText } from "../../src/valkey/address.js";
import { parseAddress } from "../../src/valkey/server-url.js";
import { rejectionOf } from "../helpers/client.js";
import { startProxy } from "../helpers/proxy.js";
import { replicated } from "../helpers/replica.js";
import { watchedBy } from "../helpers/sentinel.js";

it("a change during the crash of the primary is made on its successor, and events continue there", async () => {
  const { primary, stopPrimary } = await replicated();
  const sentinel = await watchedBy(primary);
  // The first of the Sentinels does not answer.
  const url = `valkey+sentinel://127.0.0.1:${await freePort()},127.0.0.1:${sentinel}/main`;
  const latchkey = await connect({ url, namespace: "t", timeout: "25s" });
  onTestFinished(() => latchkey.close());
  const agents = await latchkey.machine(agent());
  const durability = { replicas: 1, timeoutMs: 20_000 };
  await agents.create("a1", {}, { durability });
  const log = agents.events({ after: "start" })[Symbol.asyncIterator]();
  expect((await log.next()).value).toMatchObject({ type: "agent.spawned" });
  await stopPrimary();
  expect(await agents.transition("a1", "running")).toMatchObject({ state: "running", version: 2 });
  expect((await log.next()).value).toMatchObject({ type: "agent.running" });
});

it("says why no Sentinel names a primary", async () => {
  const silent = `127.0.0.1:${await freePort()}`;
  const primary = { host: "127.0.0.1", port: await freePort() };
  const [open, closed] = await Promise.all([
    watchedBy(primary, { replicas: 0 }),
    watchedBy(primary, { replicas: 0, password: "sesame" }),
  ]);
  for (const [path, sentinel, code] of [
    [`${silent}/main`, {}, "ECONNREFUSED"],
    [`127.0.0.1:${open}/mian`, {}, "No such master"],
    [`127.0.0.1:${closed}/main`, {}, "NOAUTH"],
    [`127.0.0.1:${closed}/main`, { password: "open-sesame" }, "WRONGPASS"],
  ] as const) {
    const url = `valkey+sentinel://me:pw@${path}`;
    const error = await rejectionOf(ConnectError, connect({ url, sentinel }));
    expect(error.message).toBe(
      `cannot use Valkey at valkey+sentinel://${path}: no Sentinel names a primary; correct the hosts and ports, the name, or the credentials (${code})`,
    );
  }
});

it("names the primary that the Sentinels name, if it cannot be reached", async () => {
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  onTestFinished(() => void silent.close());
  for (const [port, code] of [
    [await freePort(), " (ECONNREFUSED)"],
    [(silent.address() as AddressInfo).port, ""],
  ] as const) {
    const sentinel = await watchedBy({ host: "127.0.0.1", port }, { replicas: 0 });
    const url = `valkey+sentinel://127.0.0.1:${sentinel}/main`;
    const error = await rejectionOf(ConnectError, connect({ url, connectTimeoutMs: 1_000 }));
    expect(error).toMatchObject({ reason: "primary", address: url, primary: `127.0.0.1:${port}` });
    expect(error.message).toBe(
      `cannot use Valkey at ${url}, primary 127.0.0.1:${port}: the Sentinels name a primary that this host cannot reach; check the network and the address that it announces (replica-announce-ip), or map it in a program with the option sentinel.natMap${code}`,
    );
  }
});

it("natMap leads to the primary at another address than the Sentinels name", async () => {
  const server = await startValkey();
  onTestFinished(() => server.stop());
  const inside = { host: "127.0.0.1", port: await freePort() };
  const url = `valkey+sentinel://127.0.0.1:${await watchedBy(inside, { replicas: 0 })}/main`;
  const natMap = { [`127.0.0.1:${inside.port}`]: { host: server.host, port: server.port } };
  await using latchkey = await connect({ url, sentinel: { natMap }, namespace: "t" });
  const agents = await latchkey.machine(agent());
  await agents.create("a1");
  await using direct = await connect({ url: server.url, namespace: "t" });
  expect(await direct.machines()).toEqual(["agent"]);
});

it("natMap leads to replicas, and to the successor after a failover, at other addresses than the Sentinels name", async () => {
  const { primary, replica, stopPrimary } = await replicated();
  const sentinel = await watchedBy(primary);
  const [toPrimary, toReplica] = [await startProxy(primary), await startProxy(replica)];
  const natMap = {
    [`127.0.0.1:${primary.port}`]: { host: "127.0.0.1", port: toPrimary.port },
    [`127.0.0.1:${replica.port}`]: { host: "127.0.0.1", port: toReplica.port },
  };
  const url = `valkey+sentinel://127.0.0.1:${sentinel}/main`;
  const latchkey = await connect({ url, sentinel: { natMap }, namespace: "t", timeout: "60s" });
  onTestFinished(() => latchkey.close());
  const agents = await latchkey.machine(agent());
  await agents.create("a1", {}, { durability: { replicas: 1 } });

  toReplica.shut(true);
  const read = () => agents.get("a1", { reads: "replica" });
  const refusals = async (): Promise<number> => {
    expect(await read()).toMatchObject({ version: 1 }); // by the primary
    return toReplica.refused;
  };
  await expect.poll(refusals).toBeGreaterThan(0); // once the Sentinel knows the replica
  toReplica.shut(false);
  const readers = async (): Promise<string> => {
    await read();
    return String(await replica.admin.client("LIST"));
  };
  await expect.poll(readers).toContain("name=latchkey-replica ");

  await stopPrimary();
  toReplica.shut(true);
  toReplica.cut();
  const { refused } = toReplica;
  const change = agents.transition("a1", "running");
  await expect.poll(() => toReplica.refused).toBeGreaterThan(refused);
  toReplica.shut(false);
  expect(await change).toMatchObject({ state: "running", version: 2 });
});

it.each([
  [{ natmap: {} }, 'unknown option "natmap" in sentinel; did you mean "natMap"?'],
  [{ natMap: "h:1" }, "sentinel.natMap must be an object of addresses, not text"],
  [{ natMap: { h: { host: "h", port: 1 } } }, 'sentinel.natMap["h"]: the name must be host:port'],
  [{ natMap: { "h:1": "h:2" } }, 'sentinel.natMap["h:1"] must be an object (of host, port), not text'],
  [
    { natMap: { "h:1": { host: "h" } } },
    'sentinel.natMap["h:1"].port must be a whole number from 1 to 65535',
  ],
  [{ natMap: { "h:1": { port: 1 } } }, 'sentinel.natMap["h:1"].host must be the name of a host'],
  [{ password: 5 }, "sentinel.password must be text, not a number"],
])("rejects the sentinel options %j", async (sentinel, text) => {
  const error = await rejectionOf(ContractError, connect({ sentinel: sentinel as object }));
  expect(error.message).toContain(text);
});

it.each([
  ["valkey+sentinel://h/main", "valkey+sentinel://h:26379/main"],
  ["valkey+sentinel://u:p%40@h1:1,h2,[::1]:3/main/4", "valkey+sentinel://h1:1,h2:26379,[::1]:3/main/4"],
  ["valkeys+sentinel://:p@h1:26380/my.main", "valkeys+sentinel://h1:26380/my.main"],
  ["redis+sentinel://h1,h2/m", "valkey+sentinel://h1:26379,h2:26379/m"],
])("the address %s is shown as %s", (url, shown) => {
  expect(addressText(parseAddress(url))).toBe(shown);
});

it("user, password and database of the primary are read from the Sentinels' address", () => {
  expect(parseAddress("valkey+sentinel://u:p%40@h1:1,h2/main/4")).toEqual({
    host: "h1",
    port: 1,
    tls: false,
    database: 4,
    username: "u",
    password: "p@",
    sentinel: {
      nodes: [
        { host: "h1", port: 1 },
        { host: "h2", port: 26379 },
      ],
      primary: "main",
    },
  });
});

it.each([
  "valkey+sentinel://h1,h2",
  "valkey+sentinel:///main",
  "valkey+sentinel://h:x/main",
  "valkey+sentinel://h/",
])("rejects the address %s with an example", (url) => {
  expect(() => parseAddress(url)).toThrow(
    "write it like valkey+sentinel://host1:26379,host2:26379/primary-name",
  );
});
