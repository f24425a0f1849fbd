import { expect, it } from "vitest";
import { agent } from "../src/index.js";
import { client } from "./helpers/client.js";
import { startProxy } from "./helpers/proxy.js";
import { useValkey } from "./helpers/valkey.js";

async function behindProxy() {
  const proxy = await startProxy(await useValkey());
  const straight = await client();
  const near = await straight.machine(agent());
  const { namespace } = straight;
  const latchkey = await client({ url: proxy.url, namespace, silenceTimeoutMs: 200, timeout: "20s" });
  return { proxy, near, far: await latchkey.machine(agent()) };
}

it("a server that takes connections and answers nothing is left again, by calls, followers and subscribers", async () => {
  const { proxy, near, far } = await behindProxy();
  await near.create("a1");
  const log = far.events({ after: "end" })[Symbol.asyncIterator]();
  const first = log.next();
  const heard: string[] = [];
  await far.subscribe(({ type }) => void heard.push(type));
  await near.patch("a1", { set: { n: 1 } });
  await first;

  proxy.freeze(true);
  proxy.cut();
  const waiting = far.transition("a1", "running"); // the connections that are made meanwhile never get an answer
  const [next] = [log.next()];
  await expect.poll(() => proxy.frozen).toBeGreaterThanOrEqual(3);
  proxy.freeze(false);
  expect(await waiting).toMatchObject({ state: "running", version: 3 });
  expect((await next).value).toMatchObject({ type: "agent.running" });
  await expect
    .poll(
      async () => {
        await near.patch("a1", { set: { n: 2 } });
        return heard.length;
      },
      { timeout: 20_000 },
    )
    .toBeGreaterThan(1);
  await log.return(undefined);
});
