import { expect, it, onTestFinished } from "vitest";
import { agent, OutcomeUnknownError } from "../../src/index.js";
import { silentLogger } from "../../src/valkey/logger.js";
import { behindProxy, pastServerTime, serverMs } from "../helpers/behind-proxy.js";
import { admin } from "../helpers/calls.js";
import { all, client, rejectionOf } from "../helpers/client.js";
import { held, working } from "../helpers/held.js";

const PAIRS = 1_000;
const ENTITIES = 50;

it("makes 1,000 pairs of changes in the order of their calls, although the connection is cut within each round", async () => {
  const { near, proxy, namespace } = await behindProxy();
  let retries = 0;
  const debug = (_: object, message: string): void => {
    if (message.startsWith("retrying patch ")) retries += 1;
  };
  const logger = { ...silentLogger, debug };
  const far = await (await client({ url: proxy.url, namespace, logger })).machine(agent());
  const ids = Array.from({ length: ENTITIES }, (_, at) => `a${at}`);
  await Promise.all(ids.map((id) => near.create(id)));
  for (let round = 0; round < PAIRS / ENTITIES; round += 1) {
    if (round % 2 === 0) proxy.dropReply("evalsha");
    else proxy.dropRequest("evalsha");
    retries = 0;
    const pairs = ids.flatMap((id) =>
      [2 * round, 2 * round + 1].map((n) => far.patch(id, { set: { n } }).then(() => n)),
    );
    await Promise.all(pairs);
    await proxy.lost;
    expect(retries).toBeGreaterThan(0); // the calls that were cut were sent again
  }
  const changes = await all(near.events({ after: "start", follow: false }));
  const numbers = new Map(ids.map((id) => [id, [] as unknown[]]));
  for (const { id, type, n } of changes) if (type === "agent.updated") numbers.get(id)?.push(n);
  const inOrder = Array.from({ length: (2 * PAIRS) / ENTITIES }, (_, n) => n);
  for (const id of ids) expect(numbers.get(id)).toEqual(inOrder);
});

it("makes the changes of a rejected or expired call's entity afterwards", async () => {
  const { far } = await behindProxy();
  const results = await Promise.all([
    far.tryTransition("a1", "running"),
    far.tryCreate("a1"),
    far.tryTransition("a1", "completed"),
    far.tryTransition("a1", "running"),
    far.tryTransition("a1", "completed", { notAfter: 1 }),
    far.tryRemove("a1"),
    far.tryCreate("a1"),
  ]);
  expect(results.map(({ outcome }) => outcome)).toEqual([
    "NOTFOUND",
    "OK",
    "ILLEGAL",
    "OK",
    "EXPIRED",
    "OK",
    "OK",
  ]);
});

it("sends no change of an entity while an earlier one that ended unknown may still be executed", async () => {
  const { near, proxy, namespace } = await behindProxy();
  const valkey = await admin();
  onTestFinished(async () => void (await valkey.acl("DELUSER", namespace)));
  await valkey.acl("SETUSER", namespace, "on", "nopass", "~*", "&*", "+@all");
  const url = `valkey://${namespace}:x@127.0.0.1:${proxy.port}`;
  const far = await (await client({ url, namespace, timeout: "4s" })).machine(agent());
  await near.create("a1");
  const executeLate = proxy.delayRequest("evalsha");
  const first = rejectionOf(OutcomeUnknownError, far.patch("a1", { set: { n: 1 } }));
  const second = far.patch("a1", { set: { n: 2 }, timeout: "1m" });
  await proxy.lost;
  await valkey.acl("SETUSER", namespace, "-evalsha"); // so that the outcome cannot be looked up
  await first;
  await valkey.acl("SETUSER", namespace, "+evalsha");
  await pastServerTime((await serverMs()) + 100);
  await executeLate(); // in time, or rejected with EXPIRED on a slow machine
  await second;
  const changes = await all(near.events({ after: "start", follow: false }));
  const numbers = changes.flatMap(({ type, n }) => (type === "agent.updated" ? [n] : []));
  expect(numbers.join()).toMatch(/^(1,)?2$/);
});

it("renews a lease while changes of its entity are queued all the time", async () => {
  const { tasks, leaseAt } = await working("t1");
  const { hold, losses } = await held(tasks, "t1");
  let isOver = false;
  const patches = Array.from({ length: 200 }, async () => {
    while (!isOver) await tasks.patch("t1", { set: { n: 1 }, timeout: "1m" });
  });
  const first = await leaseAt("t1");
  await expect.poll(() => leaseAt("t1"), { interval: 100, timeout: 120_000 }).toBeGreaterThan(first + 10_000);
  isOver = true;
  await Promise.all(patches);
  expect([hold.signal.aborted, losses]).toEqual([false, []]);
}, 180_000);
