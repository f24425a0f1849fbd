import { expect, it, onTestFinished, vi } from "vitest";
import { connect } from "../../src/index.js";
import { client } from "../helpers/client.js";
import { held, taskOf, workingFor } from "../helpers/held.js";
import { startProxy } from "../helpers/proxy.js";
import { recordingLogger } from "../helpers/secrets.js";
import { useValkey } from "../helpers/valkey.js";

/** No renewal is due during a test. */
const LONG_LEASE_MS = 3_600_000;

/** Lets the wall clock of this process jump, as it does when a suspended host continues. The monotonic clock goes on. */
function suspendedFor(ms: number): void {
  const real = Date.now.bind(Date);
  vi.spyOn(Date, "now").mockImplementation(() => real() + ms);
  onTestFinished(() => void vi.restoreAllMocks());
}

it.each([
  ["ran ahead", 600_000],
  ["was set back", -600_000],
])("renews the lease at once if the wall clock %s, and is unsure until then", async (_, ms) => {
  const { tasks, leaseAt } = await workingFor(LONG_LEASE_MS, "t1");
  const { hold, losses } = await held(tasks, "t1", 2);
  const first = await leaseAt("t1");
  expect(hold.isSure).toBe(true);
  suspendedFor(ms);
  expect(hold.isSure).toBe(false);
  await expect.poll(() => hold.isSure).toBe(true);
  expect(await leaseAt("t1")).toBeGreaterThan(first);
  expect([hold.signal.aborted, losses]).toEqual([false, []]);
  await hold.close();
  expect(hold.isSure).toBe(false);
});

it("reports the loss after a suspension in which someone else took the entity", async () => {
  const { tasks } = await workingFor(LONG_LEASE_MS, "t1");
  const { hold, lost } = await held(tasks, "t1", 2);
  await tasks.patch("t1", { set: { taken: true } });
  expect(hold.isSure).toBe(true); // nothing shows the change before the next renewal
  suspendedFor(LONG_LEASE_MS);
  expect(await lost).toMatchObject({ code: "LEASELOST", current: { version: 3 } });
  expect(hold.isSure).toBe(false);
});

it("stays unsure, and does not give up, while the server does not answer", async () => {
  const proxy = await startProxy(await useValkey());
  const { logger, lines } = recordingLogger();
  const home = await client();
  const near = await home.machine(taskOf(LONG_LEASE_MS));
  await near.create("t1");
  await near.transition("t1", "working");
  const far = await connect({ url: proxy.url, namespace: home.namespace, timeout: "200ms", logger });
  onTestFinished(() => far.close());
  const { hold, losses } = await held(await far.machine(taskOf(LONG_LEASE_MS)), "t1", 2);
  proxy.dropRequest("evalsha");
  suspendedFor(600_000);
  await proxy.lost;
  proxy.shut(true);
  proxy.cut();
  await expect.poll(() => proxy.refused).toBeGreaterThan(2);
  expect([hold.isSure, hold.signal.aborted, losses]).toEqual([false, false, []]);
  const warnings = lines.filter((line) => line.includes("the clock jumped or the host was suspended"));
  expect(warnings).toHaveLength(1);
  proxy.shut(false);
  await expect.poll(() => hold.isSure).toBe(true);
  expect([hold.signal.aborted, losses]).toEqual([false, []]);
});
