import { expect, it, onTestFinished } from "vitest";
import {
  connect,
  type Entities,
  type LeaseLostError,
  type MachineDefinition,
  NoLeaseError,
} from "../../src/index.js";
import { client } from "../helpers/client.js";
import { renewedAt } from "../helpers/held.js";
import { startProxy } from "../helpers/proxy.js";
import { useValkey } from "../helpers/valkey.js";

const task = (version: number, lease?: number): MachineDefinition => ({
  name: "task",
  version,
  initial: "working",
  states: {
    working: { to: ["lost"], ...(lease !== undefined && { lease: { for: lease, to: "lost" } }) },
    lost: {},
  },
});

/** Holds a task over a connection of its own. */
async function held(lease: number) {
  const home = await client();
  const tasks: Entities = await home.machine(task(1, lease));
  const proxy = await startProxy(await useValkey());
  const far = await connect({ url: proxy.url, namespace: home.namespace });
  onTestFinished(() => far.close());
  await tasks.create("t1");
  const losses: LeaseLostError[] = [];
  const farTasks: Entities = await far.machine(task(1, lease));
  const hold = await farTasks.hold("t1", { version: 1, onLost: (lost) => losses.push(lost) });
  onTestFinished(() => hold.close());
  const leaseAt = () => renewedAt(home, "t1");
  return { home, tasks, hold, losses, leaseAt, proxy };
}

it("keeps the lease under a newer version that shortens it, while others sweep", async () => {
  const { home, tasks, hold, losses, leaseAt } = await held(6000);
  const stopping = new AbortController();
  const sweeping = tasks.sweep({ signal: stopping.signal, interval: 50 });
  await home.apply(task(2, 1900)); // less than a third of before
  const first = await leaseAt();
  // After the end by the older version.
  await expect.poll(leaseAt, { interval: 50 }).toBeGreaterThan(first + 6000 + 1900);
  stopping.abort();
  expect(await sweeping).toMatchObject({ expired: 0 });
  expect([hold.signal.aborted, losses]).toEqual([false, []]);
  expect(await tasks.get("t1")).toMatchObject({ state: "working", version: 1 });
});

it("does not lose the lease if a reply is lost while it reads the length", async () => {
  const { losses, leaseAt, proxy } = await held(1500);
  proxy.dropReply("\r\nversion\r\n");
  await proxy.lost;
  const before = await leaseAt();
  await expect.poll(leaseAt, { interval: 50 }).toBeGreaterThan(before + 1500);
  expect(losses).toEqual([]);
});

it("is lost if a newer version removes the lease", async () => {
  const { home, hold, losses } = await held(600);
  await home.apply(task(2));
  await expect.poll(() => hold.signal.aborted, { interval: 20 }).toBe(true);
  expect(losses).toEqual([hold.signal.reason]);
  expect(losses[0]?.cause).toBeInstanceOf(NoLeaseError);
});
