import { hostname } from "node:os";
import { expect, it } from "vitest";
import { ContractError, type Entities, type PendingEvent } from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { all, client } from "../helpers/client.js";
import { type DialState, dial } from "../helpers/dial.js";
import { gate, reacting, replicas } from "../helpers/reactions.js";

async function briefs(list: Entities<DialState>): Promise<Partial<PendingEvent>[]> {
  return (await all(list.pendingEvents("r"))).map(({ entity, status, attempts }) => ({
    entity,
    status,
    attempts,
  }));
}

it("the pending events of a reaction are listed with their replica, status, attempts and time", async () => {
  const { list } = await replicas(1);
  const [ours] = list;
  const hold = gate();
  const options = { concurrency: 2, retries: { first: "1d", longest: "1d" } } as const;
  await reacting(
    ours,
    async ({ id }) => {
      if (id === "x1") throw new Error("no");
      await hold.promise;
    },
    options,
  );
  const failed = await ours.create("x1");
  await expect.poll(() => briefs(ours)).toEqual([{ entity: "x1", status: "retrying", attempts: 1 }]);
  const running = await ours.create("x2");
  const waiting = await ours.transition("x2", "b");
  const expected = [
    { entity: "x1", status: "retrying", attempts: 1 },
    { entity: "x2", status: "running", attempts: 1 },
    { entity: "x2", status: "waiting", attempts: 0 },
  ];
  await expect.poll(() => briefs(ours)).toEqual(expected);
  const events = await all(ours.pendingEvents("r"));
  expect(events.map(({ text }) => JSON.parse(text ?? ""))).toEqual([failed, running, waiting]);
  const [one, two, three] = events;
  const name = `${hostname()}-${process.pid}-`.replace(/[^A-Za-z0-9._-]/g, "-");
  expect(one?.replica).toMatch(new RegExp(`^${name}[0-9a-f]{8}$`));
  expect(two?.replica).toBe(one?.replica);
  expect(three).toMatchObject({ replica: undefined, replicaSeenMs: undefined, firstMs: undefined });
  expect(two?.sinceMs).toBe(two?.firstMs);
  expect(two?.sinceMs).toBeGreaterThanOrEqual(Date.parse(running.timestamp));
  expect(two?.replicaSeenMs).toBeGreaterThanOrEqual(Date.parse(failed.timestamp));
  expect((await ours.reactions())[0]?.pending).toBe(events.length);
  hold.open();
  await expect.poll(() => briefs(ours)).toEqual(expected.slice(0, 1));
});

it("pending events are listed for a replica with a connectionName, a retried dead letter and a trimmed event", async () => {
  const home = await client({ connectionName: "my|orchestrator" });
  await home.init(2);
  const ours = await home.machine(dial);
  const hold = gate();
  let isBroken = true;
  const handler = async () => {
    if (isBroken) throw new Error("no");
    await hold.promise;
  };
  await reacting(ours, handler, { deadLetterAfter: 1 });
  await ours.create("x1");
  const letters = ours.deadLetters("r");
  await expect.poll(async () => (await all(letters)).length).toBe(1);
  isBroken = false;
  const [{ id } = { id: "" }] = await all(letters);
  await letters.retry([id]);
  await ours.create("x2");
  await expect
    .poll(async () => (await briefs(ours)).map(({ status }) => status))
    .toEqual(["running", "running"]);
  for (const partition of [0, 1])
    await (await admin()).xtrim(`{${home.namespace}:${partition}}:dial:events`, "MAXLEN", 0);
  const events = await all(ours.pendingEvents("r"));
  expect(events.find(({ isDeadLetter }) => isDeadLetter)).toMatchObject({ id, entity: "x1" });
  expect(events.find(({ entity }) => entity === "x2")).toMatchObject({ text: null, isDeadLetter: false });
  expect(events[0]?.replica).toMatch(/^my-orchestrator@/);
  hold.open();
});

it("a reaction without pending events, or one that does not exist, has an empty list; an invalid name is rejected", async () => {
  const { list } = await replicas(1);
  const [ours] = list;
  expect(await all(ours.pendingEvents("r"))).toEqual([]);
  await reacting(ours, () => {});
  expect(await all(ours.pendingEvents("r"))).toEqual([]);
  expect(() => ours.pendingEvents("No Name")).toThrow(ContractError);
  expect(() => ours.pendingEvents("r", { tiemout: 1 } as object)).toThrow('did you mean "timeout"?');
  expect(await all(ours.pendingEvents("r", { signal: AbortSignal.abort() }))).toEqual([]);
});
