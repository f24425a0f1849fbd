import { expect, it } from "vitest";
import { agent, ClosedError, NotDurableError, OutcomeUnknownError } from "../../src/index.js";
import { scripts } from "../../src/lua/index.js";
import { admin } from "../helpers/calls.js";
import { client, rejectionOf } from "../helpers/client.js";
import { startProxy } from "../helpers/proxy.js";
import { useValkey } from "../helpers/valkey.js";

/** Agents behind a proxy, by a client whose calls may wait for long, and without it. */
async function patient(options: { readonly maxInFlight?: number } = {}) {
  const proxy = await startProxy(await useValkey());
  for (const { text } of Object.values(scripts)) await (await admin()).script("LOAD", text);
  const straight = await client();
  const { namespace } = straight;
  const latchkey = await client({
    ...{ url: proxy.url, namespace, timeout: "10m", silenceTimeoutMs: 600_000, connectTimeoutMs: 600_000 },
    ...options,
  });
  return { proxy, latchkey, far: await latchkey.machine(agent()), near: await straight.machine(agent()) };
}

const NEVER_ANSWERED =
  /: latchkey was closed before the reply arrived; connect again, and repeat it with \{ op: "\S+", seen: "\S+" \}$/;

it("ends changes that wait for an earlier one of their entity, and separates them from what was sent", async () => {
  const { proxy, latchkey, far, near } = await patient();
  await near.create("a1");
  await far.patch("a1", { set: { n: 0 } });
  proxy.holdReply("evalsha");
  const first = rejectionOf(OutcomeUnknownError, far.patch("a1", { set: { n: 1 } }));
  const others = [2, 3].map((n) => rejectionOf(ClosedError, far.patch("a1", { set: { n } })));
  await proxy.lost;
  await latchkey.close();
  await Promise.all(others);
  const { message } = await first;
  expect(message).toMatch(NEVER_ANSWERED);
  expect(await near.get("a1")).toMatchObject({ n: 1, version: 3 });
});

it("ends changes that wait for a place with ClosedError, because they were not sent", async () => {
  const { proxy, latchkey, far, near } = await patient({ maxInFlight: 1 });
  proxy.holdReply("evalsha");
  const first = rejectionOf(OutcomeUnknownError, far.create("a1"));
  const others = ["a2", "a3"].map((id) => rejectionOf(ClosedError, far.create(id)));
  await proxy.lost;
  await latchkey.close();
  await Promise.all(others);
  await first;
  expect(await near.count()).toMatchObject({ spawning: 1 });
});

it("says that a change is applied and not durable because latchkey was closed", async () => {
  const { latchkey, far, near } = await patient();
  const durability = { replicas: 1, timeoutMs: 600_000 };
  const change = rejectionOf(NotDurableError, far.create("a1", {}, { durability }));
  await expect.poll(() => near.get("a1")).not.toBeNull();
  await latchkey.close();
  expect((await change).message).toBe(
    "agent a1 was changed and is version 1, but is not durable: latchkey was closed before a copy was acknowledged",
  );
});

it("ends a call that waits for a connection of its own to a frozen server", async () => {
  const { proxy, latchkey, far } = await patient();
  proxy.freeze(true);
  const subscribing = rejectionOf(
    ClosedError,
    far.subscribe(() => {}),
  );
  await expect.poll(() => proxy.frozen).toBeGreaterThan(0);
  await latchkey.close();
  await subscribing;
});
