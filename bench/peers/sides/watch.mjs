// Optimistic locking: WATCH and GET, then MULTI, SET, ZADD, PUBLISH, EXEC. Each call needs a connection of its own.
import { Valkey } from "iovalkey";
import { changesBy, eventOf, followChannel, keysOf, scoreOf } from "../agent.mjs";

export const name = "WATCH/MULTI";

export async function open({ url }) {
  const keys = keysOf("watch");
  const all = [];
  const idle = [];

  function borrow() {
    if (idle.length > 0) return idle.pop();
    const client = new Valkey(url);
    client.on("error", () => {});
    all.push(client);
    return client;
  }

  async function change(id, what, decide) {
    const client = borrow();
    try {
      for (;;) {
        const [, json] = await Promise.all([client.watch(keys.agent(id)), client.get(keys.agent(id))]);
        const next = decide(json === null ? undefined : JSON.parse(json));
        if (next === undefined) {
          client.unwatch().catch(() => {});
          return false;
        }
        const transaction = client.multi().set(keys.agent(id), JSON.stringify(next));
        transaction.zadd(keys.index, scoreOf(next), id).publish(keys.channel, eventOf(next, what));
        if ((await transaction.exec()) !== null) return true;
      }
    } finally {
      idle.push(client);
    }
  }

  return {
    ...changesBy(change),
    read: async (id) => JSON.parse(await borrow().get(keys.agent(id))),
    listen: (listener) => followChannel(new Valkey(url), keys.channel, listener),
    close() {
      for (const client of all) client.disconnect();
    },
  };
}
