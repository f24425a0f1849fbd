import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Valkey } from "iovalkey";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { ClosedError, type Entities } from "../../src/index.js";
import { hold } from "../../src/leases/hold.js";
import { serverLeases } from "../../src/leases/lease-source.js";
import { compileMachine } from "../../src/machine/compile.js";
import { built, root } from "../helpers/built.js";
import { client, rejectionOf } from "../helpers/client.js";
import { connected } from "../helpers/doctor.js";
import { held, LEASE_MS, SOON, taskOf, working } from "../helpers/held.js";
import { inNode } from "../helpers/node.js";
import { gate } from "../helpers/reactions.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

beforeAll(built);

it("ends when latchkey is closed: the signal aborts, and there is no loss", async () => {
  const { home, tasks } = await working("t1");
  const { hold, losses } = await held(tasks, "t1", 2);
  await home.close();
  expect(hold.signal.reason).toBeInstanceOf(ClosedError);
  expect(hold.signal.reason.message).toContain("latchkey was closed");
  expect(losses).toEqual([]);
  const changing = hold.change(() => tasks.patch("t1", { set: { n: 1 } }));
  expect(await rejectionOf(ClosedError, changing)).toBe(hold.signal.reason);
  await hold.close();
});

it("reports nothing if the hold was closed before latchkey", async () => {
  const { home, tasks } = await working("t1");
  const { hold, losses } = await held(tasks, "t1", 2);
  await hold.close();
  await home.close();
  expect([hold.signal.aborted, losses]).toEqual([false, []]);
});

it("stops renewing when latchkey is closed, although the caller's own client stays open", async () => {
  const { url } = await useValkey();
  const valkey = new Valkey(url);
  onTestFinished(() => valkey.disconnect());
  const { home, tasks, leaseAt } = await working("t1", "t2");
  const far = await client({ client: valkey, namespace: home.namespace });
  const farTasks: Entities = await far.machine(taskOf(LEASE_MS));
  const first = await held(farTasks, "t1", 2);
  await held(tasks, "t2", 2);
  await far.close();
  expect([first.hold.signal.aborted, valkey.status]).toEqual([true, "ready"]);
  const [closedAt, other] = await Promise.all([leaseAt("t1"), leaseAt("t2")]);
  await expect.poll(() => leaseAt("t2"), SOON).toBeGreaterThan(other + LEASE_MS);
  expect(await leaseAt("t1")).toBe(closedAt);
});

it("has ended from the start if latchkey is being closed meanwhile", async () => {
  const { home } = await working("t1");
  const { namespace } = home;
  const connection = await connected({ url: (await useValkey()).url, namespace });
  const closed = gate();
  connection.beforeClose(() => closed.promise);
  const closing = connection.close();
  // The connection still works while closing waits.
  const location = { namespace, partitions: 1, machine: "task" };
  const source = serverLeases({ connection, location, definition: compileMachine(taskOf(LEASE_MS)) });
  const losses: unknown[] = [];
  const ended = await hold(source, "t1", { version: 2, onLost: (lost) => losses.push(lost) });
  expect([ended.signal.reason, losses]).toEqual([expect.any(ClosedError), []]);
  closed.open();
  await closing;
});

it("lets the process end when latchkey is closed, however long the lease", async () => {
  const { url } = await useValkey();
  const entry = pathToFileURL(join(root, "dist/index.js")).href;
  // Longer than a test may take: if the process waited for the lease, this test would fail.
  const isAborted = await inNode(`
    import { connect } from ${JSON.stringify(entry)};
    const latchkey = await connect(${JSON.stringify({ url, namespace: freshNamespace() })});
    const tasks = await latchkey.machine(${JSON.stringify(taskOf(300_000))});
    await tasks.create("t1");
    await tasks.transition("t1", "working");
    const hold = await tasks.hold("t1");
    await latchkey.close();
    console.log(JSON.stringify(hold.signal.aborted));
  `);
  expect(isAborted).toBe(true);
});
