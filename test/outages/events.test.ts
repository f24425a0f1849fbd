import { describe, expect, it, onTestFinished } from "vitest";
import { type Entities, type EventsOptions, partitionOf } from "../../src/index.js";
import { all } from "../helpers/client.js";
import { clusterClient, LONG } from "../helpers/cluster-clients.js";
import { type DialState, dial } from "../helpers/dial.js";
import { type PartlyDown, partlyDown } from "../helpers/partly-down.js";
import { reacting } from "../helpers/reactions.js";

/** The entities of a program that starts while the server is down. */
async function begin({ cluster, namespace }: PartlyDown): Promise<Entities<DialState>> {
  return (await clusterClient(cluster, { namespace, timeout: "4s" })).machine(dial);
}

/** Collects the changes of a log until the test ends. */
function reading(ours: Entities<DialState>, options: EventsOptions) {
  const stop = new AbortController();
  const ids: string[] = [];
  const log = ours.events({ ...options, signal: stop.signal });
  const ended = (async () => {
    for await (const { id } of log) ids.push(id);
  })();
  onTestFinished(async () => {
    stop.abort();
    await ended;
  });
  return { ids, log, ended };
}

const move = (ours: Entities<DialState>, ids: readonly string[]) =>
  Promise.all(ids.map((id) => ours.transition(id, "b", LONG)));

describe("a program that starts while a primary without a replica is down", () => {
  it("reads the events of the other servers, and the rest when the server is back", async () => {
    const down = await partlyDown();
    const { server, address, ids, lostIds } = down;
    const ours = await begin(down);
    const news: string[] = [];
    const { ids: seen, log } = reading(ours, {
      onAway: ({ message }) => void news.push(message),
      onBack: () => void news.push("back"),
    });
    await expect.poll(() => news[0], LONG).toContain(address);
    // The reader may begin after the first changes.
    await expect
      .poll(async () => {
        await move(ours, ids.slice(0, 1));
        return seen.length;
      }, LONG)
      .toBeGreaterThan(0);
    await move(ours, ids);
    await expect.poll(() => ids.filter((id) => !seen.includes(id)), LONG).toEqual([]);
    const { cursor } = log;
    await server.server.restart();
    const theirs = await begin(down); // its connection is not the reader's
    await move(theirs, lostIds);
    await expect.poll(() => lostIds.filter((id) => !seen.includes(id)), LONG).toEqual([]);
    await expect.poll(() => news, LONG).toContain("back");
    const later = reading(theirs, { after: String(cursor) });
    const changesOfLost = (): string[] => later.ids.filter((id) => lostIds.includes(id));
    await expect.poll(() => changesOfLost().sort(), LONG).toEqual([...lostIds].sort());
  });

  it("reads the log from its start, that of the server as soon as it is back", async () => {
    const down = await partlyDown();
    const ours = await begin(down);
    const { ids: seen } = reading(ours, { after: "start" });
    await expect.poll(() => [...seen].sort(), LONG).toEqual([...down.ids].sort());
    await down.server.server.restart();
    await expect.poll(() => [...seen].sort(), LONG).toEqual([...down.ids, ...down.lostIds].sort());
  });

  it("reads a log whose first entries were trimmed without a gap, also after a cursor from before the server was back", async () => {
    const down = await partlyDown((_, __, { namespace, server }) =>
      server.admin.xtrim(`{${namespace}:0}:dial:events`, "MAXLEN", 0),
    );
    const { ids: seen, log } = reading(await begin(down), { after: "start" });
    await expect.poll(() => seen.length, LONG).toBe(down.ids.length);
    const cursor = String(log.cursor);
    await down.server.server.restart();
    const kept = [...down.ids, ...down.lostIds].filter((id) => partitionOf(id, 16) !== 0);
    await expect.poll(() => [...seen].sort(), LONG).toEqual(kept.sort());
    const rest = await all((await begin(down)).events({ after: cursor, follow: false }));
    expect([...down.ids, ...rest.map(({ id }) => id)].sort()).toEqual(kept);
    expect(down.ids.length).toBeLessThan(kept.length);
  });

  it("follows the events and reacts to those of the other servers, and to the rest when the server is back", async () => {
    const down = await partlyDown();
    const { server, ids, lostIds } = down;
    const ours = await begin(down);
    const [followed, reacted] = [new Set<string>(), new Set<string>()];
    const follower = await ours.follow(({ id }) => void followed.add(id));
    onTestFinished(() => follower.close());
    await reacting(ours, ({ id }) => void reacted.add(id));
    await move(ours, ids);
    await expect.poll(() => ids.filter((id) => !followed.has(id) || !reacted.has(id)), LONG).toEqual([]);
    await server.server.restart();
    await move(await begin(down), lostIds);
    await expect.poll(() => lostIds.filter((id) => !followed.has(id) || !reacted.has(id)), LONG).toEqual([]);
  });

  it("waits for the entities of the other servers", async () => {
    const down = await partlyDown();
    const ours = await begin(down);
    const waiting = Promise.all(down.ids.map((id) => ours.waitFor(id, "b", LONG)));
    await move(ours, down.ids);
    expect((await waiting).map(({ id }) => id)).toEqual(down.ids);
  });

  it("waits for an entity of the server until it is back, and judges no change from before the wait", async () => {
    const down = await partlyDown(async (_, dials, { lostIds }) => {
      await dials.transition(lostIds[0] ?? "", "b");
      await dials.transition(lostIds[0] ?? "", "a");
    });
    const [id = ""] = down.lostIds;
    const seen: string[] = [];
    const isC = ({ state }: { state: string }): boolean => seen.push(state) > 0 && state === "c";
    const waiting = (await begin(down)).waitFor(id, isC, LONG);
    await down.server.server.restart();
    await expect.poll(() => seen, LONG).toContain("a");
    await (await begin(down)).transition(id, "c", LONG);
    expect(await waiting).toMatchObject({ id, state: "c" });
    expect([...new Set(seen)]).toEqual(["a", "c"]);
  });

  it("waits for an entity from the call on, also if the events are followed much later", async () => {
    let ours: Entities<DialState> | undefined;
    const { ids, server } = await partlyDown(async (_, __, { cluster, namespace }) => {
      // While a server is away, this client begins to follow after half an hour.
      ours = await (await clusterClient(cluster, { namespace, timeout: "1h" })).machine(dial);
    });
    const [id = "", removed = ""] = ids;
    expect(await ours?.waitFor(id, "a", LONG)).toMatchObject({ id, state: "a" });
    await ours?.remove(removed, LONG);
    await expect(ours?.waitFor(removed, "a", LONG)).rejects.toMatchObject({ code: "NOTFOUND" });
    const seen: string[] = [];
    const waiting = ours?.waitFor(id, ({ state }) => seen.push(state) > 0 && state === "b", LONG);
    await expect.poll(() => seen, LONG).toContain("a");
    await ours?.transition(id, "b", LONG);
    await ours?.transition(id, "a", LONG);
    await server.server.restart();
    expect(await waiting).toMatchObject({ id, state: "b" });
  });
});
