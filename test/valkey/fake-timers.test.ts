import { beforeEach, expect, it, onTestFinished, vi } from "vitest";
import { agent, connect } from "../../src/index.js";
import { startProxy } from "../helpers/proxy.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

beforeEach(() => {
  onTestFinished(() => void vi.useRealTimers());
});

it("connects, makes changes, connects again and closes while timers and clocks are replaced", async () => {
  const proxy = await startProxy(await useValkey());
  vi.useFakeTimers({ now: 0 });
  const latchkey = await connect({ url: proxy.url, namespace: freshNamespace() });
  const agents = await latchkey.machine(agent());
  await agents.create("a1", {});
  proxy.cut();
  vi.advanceTimersByTime(3_600_000);
  expect((await agents.transition("a1", "running")).version).toBe(2);
  await latchkey.close();
});

it("a hold stays sure of its lease when a test moves the replaced clock", async () => {
  const { url } = await useValkey();
  vi.useFakeTimers({ now: 0 });
  const latchkey = await connect({ url, namespace: freshNamespace() });
  onTestFinished(() => latchkey.close());
  const agents = await latchkey.machine(agent({ version: 2, lease: "1h" }));
  await agents.create("a1", {});
  await agents.transition("a1", "running");
  await using hold = await agents.hold("a1");
  vi.advanceTimersByTime(3_600_000);
  expect(hold.isSure).toBe(true);
});
