import { Cluster, Valkey } from "iovalkey";
import { expect, it, onTestFinished } from "vitest";
import { agent, ContractError, connect, NotExecutedError } from "../../src/index.js";
import { connection } from "../helpers/calls.js";
import { all, rejectionOf } from "../helpers/client.js";
import { recordingLogger, textsIn } from "../helpers/secrets.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

it("works through a client that is handed in, and leaves it open", async () => {
  const given = await connection();
  const latchkey = await connect({ client: given, namespace: freshNamespace() });
  const agents = await latchkey.machine(agent());
  await agents.create("a1");
  const heard = new Promise(
    (resolve) => void agents.subscribe(resolve).then(() => agents.transition("a1", "running")),
  );
  expect(await heard).toMatchObject({ type: "agent.running" });
  expect((await all(agents.events({ after: "start", follow: false }))).map(({ type }) => type)).toEqual([
    "agent.spawned",
    "agent.running",
  ]);
  expect(latchkey.address).toBe((await useValkey()).url);
  await latchkey.close();
  expect(given.status).toBe("ready");
  expect(await given.ping()).toBe("PONG");
});

it("turns a call away as not executed where the client that was handed in has ended", async () => {
  const given = await connection();
  const latchkey = await connect({ client: given, namespace: freshNamespace() });
  const agents = await latchkey.machine(agent());
  const ended = new Promise((resolve) => given.once("end", resolve));
  given.disconnect();
  await ended;
  const error = await rejectionOf(NotExecutedError, agents.create("a1"));
  expect(error.message).toBe(`create agent a1 was not executed: not connected to ${latchkey.address}`);
});

it("closes the further connections that it opened beside a client that is handed in", async () => {
  const given = await connection();
  const latchkey = await connect({ client: given, namespace: freshNamespace() });
  const agents = await latchkey.machine(agent());
  const ours = async () =>
    String(await given.client("LIST"))
      .split("\n")
      .filter((line) => line.includes("name=latchkey-subscribe"));
  const before = (await ours()).length;
  await agents.subscribe(() => {});
  expect(await ours()).toHaveLength(before + 1);
  await latchkey.close();
  await expect.poll(async () => (await ours()).length).toBe(before);
});

it("rejects a client with keyPrefix, which rewrites keys but not script arguments", async () => {
  const { host, port } = await useValkey();
  const given = new Valkey({ host, port, keyPrefix: "app:", lazyConnect: true });
  const error = await rejectionOf(ContractError, connect({ client: given }));
  expect(error.message).toContain("keyPrefix");
  expect(error.message).toContain("`namespace`");
  expect(given.status).toBe("wait");
});

it("rejects a client of a database other than 0 with the default namespace only", async () => {
  const { host, port, url } = await useValkey();
  const given = new Valkey({ host, port, db: 2, lazyConnect: true });
  onTestFinished(() => given.disconnect());
  const error = await rejectionOf(ContractError, connect({ client: given }));
  expect(error.message).toMatch(/^database 2 cannot be used with the namespace "latchkey": publish/);
  expect(given.status).toBe("wait");
  const latchkey = await connect({ client: given, namespace: freshNamespace() }); // connects a lazy client
  expect(latchkey.address).toBe(`${url}/2`);
});

it("takes a client with an empty keyPrefix", async () => {
  const { host, port } = await useValkey();
  const given = new Valkey({ host, port, keyPrefix: "" });
  onTestFinished(() => given.disconnect());
  await expect(connect({ client: given, namespace: freshNamespace() })).resolves.toBeDefined();
});

it("rejects a Cluster and every other value that is not a client of iovalkey", async () => {
  const { host, port } = await useValkey();
  const cluster = new Cluster([{ host, port }], { lazyConnect: true });
  for (const other of [cluster, {}, "valkey://localhost"]) {
    const error = await rejectionOf(ContractError, connect({ client: other as Valkey }));
    expect(error.message).toMatch(/^client must be a Valkey of iovalkey, not a Cluster or another client; /);
    expect(error.message).toContain("`npm ls iovalkey`");
  }
});

it("shows no credentials of the caller's client if it cannot open further connections", async () => {
  const { host, port } = await useValkey();
  const given = await connection();
  const { logger, lines } = recordingLogger();
  const latchkey = await connect({ client: given, logger, namespace: freshNamespace() });
  const agents = await latchkey.machine(agent());
  given.options.password = "s3cret-of-the-test";
  given.options.username = "nobody";
  const error = await agents.subscribe(() => {}).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "UNREACHABLE", reason: "auth", address: `valkey://${host}:${port}` });
  for (const text of [...textsIn(error), ...lines]) expect(text).not.toContain("s3cret");
});
