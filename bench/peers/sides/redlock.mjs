// A lock for each agent (npm redlock), and GET, SET, ZADD, PUBLISH while it is held.
import { Valkey } from "iovalkey";
import Redlock from "redlock";
import { changesBy, eventOf, followChannel, keysOf, scoreOf } from "../agent.mjs";

export const name = "Redlock";

const LOCK_MS = 1_000;
/** Shorter delays than the library's default of 200 ms, with which a race would take seconds. */
const SETTINGS = { retryCount: 400, retryDelay: 5, retryJitter: 5 };

export async function open({ url }) {
  const keys = keysOf("redlock");
  const client = new Valkey(url);
  client.on("error", () => {});
  const locks = new Redlock([client], SETTINGS);
  locks.on("clientError", () => {});

  async function change(id, what, decide) {
    const lock = await locks.lock(`${keys.agent(id)}:lock`, LOCK_MS);
    try {
      const json = await client.get(keys.agent(id));
      const next = decide(json === null ? undefined : JSON.parse(json));
      if (next === undefined) return false;
      const batch = client.pipeline().set(keys.agent(id), JSON.stringify(next));
      await batch.zadd(keys.index, scoreOf(next), id).publish(keys.channel, eventOf(next, what)).exec();
      return true;
    } finally {
      await lock.unlock().catch(() => {}); // it expires
    }
  }

  return {
    ...changesBy(change),
    read: async (id) => JSON.parse(await client.get(keys.agent(id))),
    listen: (listener) => followChannel(new Valkey(url), keys.channel, listener),
    close: () => client.disconnect(),
  };
}
