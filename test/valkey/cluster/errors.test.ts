import { expect, it, onTestFinished } from "vitest";
import { ClusterNode } from "../../../faults/servers/cluster-node.js";
import { Entities } from "../../../src/entities.js";
import {
  ConnectError,
  ContractError,
  connect,
  NotExecutedError,
  OutcomeUnknownError,
  partitionOf,
} from "../../../src/index.js";
import { compileMachine } from "../../../src/machine/compile.js";
import { openConnection } from "../../../src/valkey/open-connection.js";
import { rejectionOf } from "../../helpers/client.js";
import { ownCluster, useCluster } from "../../helpers/cluster.js";
import { clusterClient, firstServer, LONG, mortalCluster } from "../../helpers/cluster-clients.js";
import { clusterProxies } from "../../helpers/cluster-proxies.js";
import { freshFolder } from "../../helpers/folder.js";
import { isInside, MANY, movingSlot, order } from "../../helpers/moving-slot.js";
import { isValkey } from "../../helpers/server-program.js";
import { freshNamespace, useValkey } from "../../helpers/valkey.js";

const PARTITIONS = 8;

/** Orders in a cluster, and the server of the first partition, which does not hold the facts of the namespace. */
async function orders(cluster: Awaited<ReturnType<typeof ownCluster>>) {
  const namespace = await namespaceOfTwo(cluster);
  const latchkey = await clusterClient(cluster, { namespace, timeout: "20s" });
  await latchkey.init(PARTITIONS);
  const ours = await latchkey.machine(order);
  await Promise.all(MANY.map((id) => ours.create(id)));
  const { server, holds } = await firstServer(cluster, { namespace, partitions: PARTITIONS });
  const slotOf = (id: string) => cluster.slotOf(`{${namespace}:${partitionOf(id, PARTITIONS)}}`);
  const [lost = "", kept = ""] = [MANY.find(holds), MANY.find((id) => !holds(id))];
  return { namespace, latchkey, ours, server, slotOf, lost, kept };
}

/** Finds a namespace whose facts and whose first partition are at different servers. */
async function namespaceOfTwo(cluster: Awaited<ReturnType<typeof ownCluster>>): Promise<string> {
  for (;;) {
    const namespace = freshNamespace();
    const [home, first] = [`{${namespace}}`, `{${namespace}:0}`];
    if ((await cluster.ownerOf(home)) !== (await cluster.ownerOf(first))) return namespace;
  }
}

/** Returns the text of the error that a call ends with. */
function textOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "no error",
    ({ message }: Error) => message,
  );
}

const BRIEF = { timeout: 500 } as const;

it("an error of a call names the node that is down, its slot and the cause", async () => {
  const cluster = await mortalCluster(0);
  const { ours, server, slotOf, lost, latchkey, namespace } = await orders(cluster);
  await server.server.kill9();
  const away = (slot: number) =>
    `not connected to valkey://127.0.0.1:${server.port}, which holds slot ${slot}: connection refused`;
  const slot = await slotOf(lost);
  await expect
    .poll(() => textOf(ours.get(lost, BRIEF)), LONG)
    .toBe(`get order ${lost} was not answered: ${away(slot)}`);
  await expect
    .poll(() => textOf(ours.transition(lost, "submitted", BRIEF)), LONG)
    .toBe(`transition order ${lost} was not executed: ${away(slot)}`);
  expect(await textOf(ours.count(BRIEF))).toContain(`not connected to valkey://127.0.0.1:${server.port}, `);
  // Another client, which begins: the slot that it waits for is one of the server's.
  const late = await connect({ url: String(cluster.url), namespace, timeout: "1s" });
  onTestFinished(() => late.close());
  expect(await textOf(late.machine({ ...order, version: 2 }))).toMatch(
    `not connected to valkey://127.0.0.1:${server.port}, which holds slot `,
  );
  expect(latchkey.address).toBe(cluster.url);
});

it("connect names the node of the namespace that is down, its slot, and what to do", async () => {
  const cluster = await mortalCluster(0);
  const { namespace } = await orders(cluster);
  const home = await cluster.ownerOf(`{${namespace}}`);
  const slot = await cluster.slotOf(`{${namespace}}`);
  await home.server.kill9();
  const again = () =>
    rejectionOf(ConnectError, connect({ url: cluster.url, namespace, connectTimeoutMs: 2_000 }));
  await expect.poll(async () => (await again()).reason, LONG).toBe("refused");
  const error = await again();
  expect(error).toMatchObject({ address: `valkey://127.0.0.1:${home.port}`, slot, reason: "refused" });
  expect(error.message).toBe(
    `cannot use Valkey at valkey://127.0.0.1:${home.port}, which holds slot ${slot} and the facts of the namespace, without which nothing starts: connection refused; start the node or ` +
      "wait for a replica to replace it; if it runs, check the network and the address that it announces " +
      "(cluster-announce-ip), or map it in a program with the option cluster.natMap (ECONNREFUSED)",
  );
});

it("an error CLUSTERDOWN names the node that rejects the call, the slot, and the node that is down", async () => {
  const cluster = await ownCluster({ nodeTimeoutMs: 2_000 });
  const { ours, server, slotOf, kept } = await orders(cluster);
  await server.server.kill9();
  const slot = await slotOf(kept);
  const owner = await cluster.owner(slot, [server]).catch(() => undefined);
  const down =
    `valkey://127.0.0.1:${owner?.port} does not serve slot ${slot}; not connected to valkey://127.0.0.1:${server.port}: ` +
    "connection refused (CLUSTERDOWN The cluster is down)";
  await expect
    .poll(() => textOf(ours.get(kept, BRIEF)), LONG)
    .toBe(`get order ${kept} was rejected: ${down}`);
  const error = await rejectionOf(NotExecutedError, ours.transition(kept, "submitted", BRIEF));
  expect(error.message).toBe(`transition order ${kept} was not executed: ${down}`);
});

it("an error TRYAGAIN names the slot, the nodes between which it moves, and what to do", async () => {
  const { orders, migration, own, latchkey } = await movingSlot();
  const { slot, from, to } = migration;
  await migration.moveKeys(3);
  // A read that is redirected shows where the slot moves to.
  for (const id of own) await orders.get(id);
  const inside = Array.from({ length: 50 }, (_, at) => `new-${at}`).find(isInside) ?? "";
  await expect
    .poll(() => textOf(orders.create(inside, {}, BRIEF)), LONG)
    .toMatch(
      `create order ${inside} was not executed: slot ${slot} is moving from valkey://127.0.0.1:${from.port} to valkey://127.0.0.1:${to.port}; if the move has stopped, run \`valkey-cli --cluster fix 127.0.0.1:${from.port}\` (TRYAGAIN `,
    );
  expect(await orders.get(inside)).toBeNull();
  expect(latchkey.partitions).toBe(4);
});

it("servers without slots are not a cluster yet, and the error has the command that makes them one", async () => {
  const folder = await freshFolder();
  const node = await ClusterNode.start("node", { folder });
  onTestFinished(() => node.close());
  for (const url of [`valkey://127.0.0.1:${node.port}`, `valkey+cluster://127.0.0.1:${node.port}`]) {
    const error = await rejectionOf(ConnectError, connect({ url, connectTimeoutMs: 2_000 }));
    expect(error).toMatchObject({
      reason: "cluster",
      message:
        `cannot use Valkey at valkey+cluster://127.0.0.1:${node.port}: no slots are assigned: the servers do not form a cluster ` +
        `yet; join them with \`valkey-cli --cluster create 127.0.0.1:${node.port} HOST2:PORT HOST3:PORT --cluster-replicas 0\``,
    });
  }
});

it("a slot that no node holds is named", async () => {
  const cluster = await ownCluster({ settings: { "cluster-require-full-coverage": "no" } });
  const { ours, slotOf, lost } = await orders(cluster);
  const slot = await slotOf(lost);
  // The owner first: it would tell the others about the slot again.
  const owner = await cluster.owner(slot);
  for (const node of [owner, ...cluster.nodes]) await node.admin.cluster("DELSLOTS", slot).catch(() => {});
  await expect.poll(() => textOf(ours.get(lost, BRIEF)), LONG).toContain(`slot ${slot}`);
  await expect
    .poll(() => textOf(ours.get(lost, BRIEF)), LONG)
    .toMatch(/none holds slot \d+$|does not serve slot \d+ \(CLUSTERDOWN Hash slot not served\)$/);
});

it("a user who is missing on one node is named with that node and the reason, and nothing starts without that node", async () => {
  const cluster = await useCluster();
  const { namespace, server, slotOf, lost, kept } = await orders(cluster);
  const rules = ["on", ">secret", "~*", "&*", "+@all"];
  const user = `u-${namespace}`;
  for (const node of cluster.nodes)
    if (node !== server) await node.admin.call("ACL", "SETUSER", user, ...rules);
  const options = { namespace, username: user, password: "secret" };
  const latchkey = await clusterClient(cluster, { ...options, timeout: "1s" });
  const connection = await openConnection({ url: cluster.url, ...options });
  onTestFinished(() => connection.close());
  const location = { namespace, machine: order.name, partitions: PARTITIONS };
  const entities = new Entities({ connection, location, definition: compileMachine(order) });
  expect(await entities.get(kept)).toMatchObject({ id: kept });
  const slot = await slotOf(lost);
  const text =
    `cannot use Valkey at valkey://127.0.0.1:${server.port}, which holds slot ${slot}: authentication failed; correct user and ` +
    "password; Valkey does not distribute users: create the user on every node (WRONGPASS)";
  await expect
    .poll(() => textOf(entities.get(lost, BRIEF)), LONG)
    .toBe(`get order ${lost} was not answered: ${text}`);
  const calls = [
    () => latchkey.machine(order),
    () => entities.follow(() => {}),
    () => entities.react("never", () => {}),
    () => entities.events()[Symbol.asyncIterator]().next(),
  ];
  for (const call of calls)
    expect(await textOf(call())).toContain("create the user on every node (WRONGPASS)");
});

it("a denied command is named with its node", async () => {
  const cluster = await useCluster();
  const { namespace, server, lost } = await orders(cluster);
  const user = `u-${namespace}`;
  for (const node of cluster.nodes)
    await node.admin.call("ACL", "SETUSER", user, "on", ">secret", "~*", "&*", "+@all");
  const latchkey = await clusterClient(cluster, { namespace, username: user, password: "secret" });
  const ours = await latchkey.machine(order);
  await server.admin.call("ACL", "SETUSER", user, "-evalsha");
  const error = await rejectionOf(NotExecutedError, ours.transition(lost, "submitted"));
  expect(error.message).toBe(
    `transition order ${lost} was not executed: at valkey://127.0.0.1:${server.port} ${isValkey ? `user ${user}` : "the user"} lacks the permission ` +
      "+evalsha, which the role writer has; `latchkey acl --role writer` prints its ACL line, which every node needs (NOPERM evalsha)",
  );
  expect(await ours.get(lost)).toMatchObject({ version: 1 });
});

it("the outcome of a change in a cluster can be resolved, whichever node holds the entity", async () => {
  const cluster = await useCluster();
  const { namespace, ours, server, lost } = await orders(cluster);
  const proxies = await clusterProxies(cluster);
  const far = await connect({ cluster: proxies.cluster, namespace, timeout: "20s" });
  onTestFinished(() => far.close());
  const theirs = await far.machine(order);
  const proxy = proxies.of(server);
  await theirs.transition(lost, "submitted"); // the server knows the script
  proxy.shut(true);
  proxy.dropReply("evalsha\r\n");
  const error = await rejectionOf(OutcomeUnknownError, theirs.transition(lost, "draft", BRIEF));
  expect(error.message).toContain(`127.0.0.1:${proxy.port}`);
  proxy.shut(false);
  expect(await error.resolve({ timeout: "60s" })).toMatchObject({ outcome: "DONE", version: 3 });
  expect(await ours.get(lost)).toMatchObject({ state: "draft", version: 3 });
});

it("an error of a cluster of which no node replies names some nodes, each with its reason", async () => {
  const url = "valkey+cluster://127.0.0.1:1,nowhere.invalid:2,127.0.0.1:3,127.0.0.1:4,127.0.0.1:5";
  const error = await rejectionOf(ConnectError, connect({ url }));
  expect(error).toMatchObject({ reason: "refused", address: url });
  expect(error.message).toBe(
    `cannot use Valkey at ${url}: none of the named nodes can be used: 127.0.0.1:1 (connection refused), nowhere.invalid:2 ` +
      "(unknown host name), 127.0.0.1:3 (connection refused) and 2 more; start one of them, or correct the URL (ECONNREFUSED)",
  );
});

it("a reason that does not pass is the reason of the error, whichever node is named first", async () => {
  const [, second] = (await useCluster()).addresses;
  const url = `valkey+cluster://127.0.0.1:1,${second}`;
  const error = await rejectionOf(ConnectError, connect({ url, username: "nobody", password: "wrong" }));
  expect(error).toMatchObject({ reason: "auth", address: url });
  expect(error.message).toBe(
    `cannot use Valkey at ${url}: none of the named nodes can be used: 127.0.0.1:1 (connection refused), ${second} ` +
      "(authentication failed); correct user and password (WRONGPASS)",
  );
});

it("a server outside of a cluster is named, whichever node is named first", async () => {
  const { host, port } = await useValkey();
  const url = `valkey+cluster://127.0.0.1:1,${host}:${port}`;
  const error = await rejectionOf(ContractError, connect({ url }));
  expect(error.message).toBe(
    `valkey://${host}:${port}: the server is not a node of a cluster; write its URL as valkey://host:port`,
  );
});
