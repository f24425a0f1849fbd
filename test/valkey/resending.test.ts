import { once } from "node:events";
import { Valkey } from "iovalkey";
import { expect, it, onTestFinished } from "vitest";
import { agent, connect } from "../../src/index.js";
import { scripts } from "../../src/lua/index.js";
import { startValkey } from "../../src/testing/index.js";
import { connection } from "../helpers/calls.js";
import { startProxy } from "../helpers/proxy.js";

async function ownServer() {
  const server = await startValkey({ args: ["--enable-debug-command", "yes"] });
  onTestFinished(() => server.stop());
  const admin = await connection(undefined, server);
  return { server, admin };
}

function handIn(port: number, options: object): Valkey {
  const client = new Valkey(port, options);
  client.on("error", () => {}); // a lost connection
  onTestFinished(() => client.disconnect());
  return client;
}

it("finds a change whose reply was lost, although the copy that the caller's client resent was rejected", async () => {
  const { server, admin } = await ownServer();
  const proxy = await startProxy(server);
  const client = handIn(proxy.port, {}); // resends by default
  const latchkey = await connect({ client });
  onTestFinished(() => latchkey.close());
  const agents = await latchkey.machine(agent());
  await admin.script("LOAD", scripts.create.text); // so that the lost reply is not NOSCRIPT
  proxy.shut(true);
  proxy.dropReply("evalsha");
  const creating = agents.create("a1");
  await proxy.lost;
  await admin.config("SET", "maxmemory", "1"); // the resent copy gets OOM
  proxy.shut(false);
  expect(await creating).toMatchObject({ id: "a1", version: 1 });
});

it("checks the namespace again if the first check of a new connection took longer than commandTimeout", async () => {
  const { server, admin } = await ownServer();
  const options = {
    commandTimeout: 200,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
  };
  const client = handIn(server.port, options);
  await once(client, "ready");
  const latchkey = await connect({ client, timeout: "1m" });
  onTestFinished(() => latchkey.close());
  const agents = await latchkey.machine(agent());
  const slept = new Promise((resolve) => {
    client.prependOnceListener("ready", () => resolve(admin.call("DEBUG", "SLEEP", "0.6")));
  });
  await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  await slept;
  expect(await agents.create("a1")).toMatchObject({ version: 1 });
});
