import { expect, it } from "vitest";
import { type Entities, type ListOptions, type MachineDefinition, partitionOf } from "../../src/index.js";
import { enteredAt, runOut } from "../helpers/age.js";
import { admin } from "../helpers/calls.js";
import { all, client } from "../helpers/client.js";

const task = {
  name: "task",
  version: 1,
  initial: "waiting",
  states: {
    waiting: { to: ["working", "done"] },
    working: { to: ["lost"], timeout: { after: "1h", to: "lost" } },
    lost: {},
    done: { retain: "7d" },
  },
} satisfies MachineDefinition;

const HOUR = 3_600_000;

/**
 * w1 to w3 work and are due in 60, 10 and -40 minutes, the timer of w4 is missing, d1 is due in 7 days; v1 waits, in a
 * state without a timer.
 */
async function tasks(): Promise<Entities> {
  const home = await client();
  await home.init(2);
  const entities: Entities = await home.machine(task as MachineDefinition);
  for (const id of ["v1", "w1", "w2", "w3", "w4", "d1"]) await entities.create(id);
  for (const id of ["w1", "w2", "w3", "w4"]) await entities.transition(id, "working");
  await entities.transition("d1", "done");
  const valkey = await admin();
  const dueKey = (id: string) => `{${home.namespace}:${partitionOf(id, 2)}}:task:due`;
  const { nowMs } = await home.serverTime();
  for (const [id, minutes] of [
    ["w2", 50],
    ["w3", 100],
  ] as const) {
    const since = nowMs - minutes * 60_000;
    await enteredAt(home, entities, id, since);
    await valkey.zadd(dueKey(id), since + HOUR, id);
  }
  await valkey.zrem(dueKey("w4"), "w4");
  return entities;
}

async function listed(entities: Entities, options: ListOptions): Promise<string[]> {
  return (await all(entities.list(options))).map(({ id }) => id);
}

/** Lists by pages of one entity. */
async function paged(entities: Entities, options: ListOptions): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await entities.listPage({ ...options, limit: 1, ...(cursor !== undefined && { cursor }) });
    ids.push(...page.items.map(({ id }) => id));
    cursor = page.cursor;
  } while (cursor !== undefined);
  return ids;
}

it.each<[ListOptions, string[]]>([
  [{ dueWithin: "15m" }, ["w3", "w2"]],
  [{ dueWithin: "1h" }, ["w3", "w2", "w1"]],
  [{ dueWithin: "8d" }, ["w3", "w2", "w1", "d1"]],
  [{ dueWithin: "8d", state: "done" }, ["d1"]],
  [{ dueWithin: "8d", state: ["waiting", "done"] }, ["d1"]],
  [{ dueWithin: "8d", olderThan: "30m" }, ["w3", "w2"]],
  [{ dueWithin: "8d", state: "waiting" }, []],
  [{ stuck: true }, ["w3", "w4"]],
  [{ stuck: true, state: "done" }, []],
  [{ stuck: true, dueWithin: "1h" }, ["w3"]],
  [{ stuck: true, olderThan: "30m" }, ["w3"]],
  [{ stuck: false }, ["v1", "w3", "w2", "w1", "w4", "d1"]],
])("lists by deadline: %j", async (options, ids) => {
  const entities = await tasks();
  expect(await listed(entities, options)).toEqual(ids);
  expect(await paged(entities, options)).toEqual(ids);
});

it("finds the few matches among many entities", async () => {
  const home = await client({ timeout: "60s" });
  const entities: Entities = await home.machine(task as MachineDefinition);
  const ids = Array.from({ length: 1100 }, (_, n) => `t${n}`);
  await Promise.all(
    ids.map(async (id) => {
      await entities.create(id);
      await entities.transition(id, "working");
    }),
  );
  for (const id of ["t0", "t500", "t1099"]) await runOut(home, entities, id);
  expect((await listed(entities, { stuck: true })).sort()).toEqual(["t0", "t1099", "t500"]);
  const page = await entities.listPage({ stuck: true, limit: 10 });
  expect([page.items.length, page.cursor]).toEqual([3, undefined]);
});
