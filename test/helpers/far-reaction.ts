import { expect } from "vitest";
import type { Change, ConnectOptions, HandlerContext } from "../../src/index.js";
import { admin, connection } from "./calls.js";
import { client } from "./client.js";
import { dial } from "./dial.js";
import { startProxy } from "./proxy.js";
import { keyOf, nameOf } from "./reactions.js";
import { useValkey } from "./valkey.js";

/** Connects one replica through a proxy, and one directly for the test itself. */
export async function farAndNear(options: ConnectOptions = {}) {
  const proxy = await startProxy(await useValkey());
  const far = await client({ url: proxy.url, ...options });
  const { namespace } = far;
  const near = await (await client({ namespace })).machine(dial);
  const seen = keyOf(namespace, "seen");
  const valkey = await admin();
  const signs = async () => (await valkey.zrange(seen, 0, -1, "WITHSCORES")).join();
  return {
    proxy,
    namespace,
    far: await far.machine(dial),
    near,
    /** Settles right after a heartbeat: the next one is a while away. */
    sign: async () => {
      const before = await signs();
      await expect.poll(signs, { interval: 1 }).not.toBe(before);
    },
    /** Delivers all new events to a consumer that stays live until `die`. */
    give: async (consumer: string) => {
      await valkey.zadd(seen, "+inf", consumer);
      const events = `{${namespace}:0}:dial:events`;
      await (await connection()).xreadgroup("GROUP", "r", consumer, "COUNT", 10, "STREAMS", events, ">");
    },
    /** Makes a consumer count as dead. */
    die: async (consumer: string) => void (await valkey.zadd(seen, 0, consumer)),
  };
}

/** Makes a handler that records the changes and attempts of its calls. */
export function counted(work: (change: Change, context: HandlerContext) => void | Promise<void> = () => {}) {
  const met: [string, number][] = [];
  return {
    met,
    handler: (change: Change, context: HandlerContext) => {
      met.push([nameOf(change), context.attempt]);
      return work(change, context);
    },
  };
}
