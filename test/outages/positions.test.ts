import { expect, it, onTestFinished } from "vitest";
import { connect, type Entities, GapError, partitionOf } from "../../src/index.js";
import { all, rejectionOf } from "../helpers/client.js";
import { clusterClient, LONG } from "../helpers/cluster-clients.js";
import { clusterProxies } from "../helpers/cluster-proxies.js";
import { type DialState, dial } from "../helpers/dial.js";
import { type PartlyDown, partlyDown } from "../helpers/partly-down.js";
import { reacting } from "../helpers/reactions.js";

const isFirst = (id: string): boolean => partitionOf(id, 16) === 0;

const move = (ours: Entities<DialState>, ids: readonly string[]) =>
  Promise.all(ids.map((id) => ours.transition(id, "b", LONG)));

/** A client that starts while the server is down. */
async function begin({ cluster, namespace }: PartlyDown): Promise<Entities<DialState>> {
  return (await clusterClient(cluster, { namespace, timeout: "4s" })).machine(dial);
}

/** Reads a log until the test ends, and keeps what it returns. */
function reading(ours: Entities<DialState>, after: "start" | "end") {
  const stop = new AbortController();
  const ids: string[] = [];
  const log = ours.events({ after, signal: stop.signal });
  const ended = (async () => {
    for await (const { id, state } of log) ids.push(`${id} ${state}`);
  })();
  onTestFinished(async () => {
    stop.abort();
    await ended;
  });
  return { ids, log };
}

it("a cursor from before the server was back continues at the oldest change that was left at the start, and reports later gaps", async () => {
  const down = await partlyDown(async (_, dials, { namespace, server, lostIds }) => {
    await move(dials, lostIds.filter(isFirst));
    await server.admin.xtrim(`{${namespace}:0}:dial:events`, "MAXLEN", 1);
  });
  const { ids: seen, log } = reading(await begin(down), "start");
  await expect.poll(() => seen.length, LONG).toBe(down.ids.length);
  const cursor = String(log.cursor);
  await down.server.server.restart();
  const theirs = await begin(down);
  const read = async () => (await all(theirs.events({ after: cursor, follow: false }))).map(({ id }) => id);
  const rest = await read();
  expect(rest.filter((id) => !isFirst(id)).sort()).toEqual(down.lostIds.filter((id) => !isFirst(id)).sort());
  expect(rest.filter(isFirst)).toHaveLength(1);
  const ids = down.lostIds.filter(isFirst);
  await move(theirs, [...ids, ...ids]);
  await down.server.admin.xtrim(`{${down.namespace}:0}:dial:events`, "MAXLEN", 1);
  expect((await rejectionOf(GapError, read())).reason).toBe("trimmed");
});

it("changes at a server whose clock is behind are delivered, also those from before a program reached the server", async () => {
  const down = await partlyDown();
  const { cluster, namespace, server, lostIds } = down;
  const proxies = await clusterProxies(cluster);
  proxies.of(server).shut(true);
  const far = await connect({ cluster: proxies.cluster, namespace, timeout: "4s" });
  onTestFinished(() => far.close());
  const ours = await far.machine(dial);
  const [followed, reacted]: [string[], string[]] = [[], []];
  const follower = await ours.follow(({ id, state }) => void followed.push(`${id} ${state}`));
  onTestFinished(() => follower.close());
  await reacting(ours, ({ id, state }) => void reacted.push(`${id} ${state}`));
  const { ids: read, log } = reading(ours, "end");
  await expect.poll(() => log.cursor, LONG).toBeDefined();
  const cursor = String(log.cursor);
  await server.server.setClock(-60_000);
  await server.server.restart();
  const theirs = await begin(down);
  await move(theirs, lostIds);
  proxies.of(server).shut(false);
  const moved = lostIds.map((id) => `${id} b`);
  for (const list of [followed, reacted, read])
    await expect.poll(() => list, LONG).toEqual(expect.arrayContaining(moved));
  const later = await all(theirs.events({ after: cursor, follow: false }));
  expect(later.map(({ id, state }) => `${id} ${state}`)).toEqual(expect.arrayContaining(moved));
});
