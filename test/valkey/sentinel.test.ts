import { expect, it, onTestFinished } from "vitest";
import { agent, ConnectError, connect } from "../../src/index.js";
import { freePort } from "../../src/server/port.js";
import { addressText } from "../../src/valkey/address.js";
import { parseAddress } from "../../src/valkey/server-url.js";
import { rejectionOf } from "../helpers/client.js";
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

it("says that no Sentinel answers", async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const error = await rejectionOf(ConnectError, connect({ url: `valkey+sentinel://me:pw@${address}/main` }));
  expect(error.message).toBe(
    `cannot use Valkey at valkey+sentinel://${address}/main: no Sentinel knows a primary of that name; correct the hosts and ports, the name, or the credentials`,
  );
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
