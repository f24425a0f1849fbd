import { expect, it, onTestFinished } from "vitest";
import {
  connect,
  type Entities,
  type MachineDefinition,
  NotExecutedError,
  type Stuck,
} from "../../src/index.js";
import { runOut } from "../helpers/age.js";
import { admin } from "../helpers/calls.js";
import { client, rejectionOf } from "../helpers/client.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

const task = {
  name: "task",
  version: 1,
  initial: "waiting",
  states: {
    waiting: { to: ["late", "done"], timeout: { after: "1h", to: "late" } },
    late: {},
    done: { retain: "1h" },
  },
} satisfies MachineDefinition;

/** Removals that are due first, a timeout behind them, and a sweep by a user who may not do all of it. */
async function sweepAs(lack: string) {
  const home = await client();
  const entities: Entities = await home.machine(task as MachineDefinition);
  const [user, valkey] = [freshNamespace(), await admin()];
  const removals = Array.from({ length: 10 }, (_, n) => `r${n}`);
  for (const id of removals) {
    await entities.create(id);
    await entities.transition(id, "done");
    await runOut(home, entities, id);
    await valkey.zadd(`{${home.namespace}:0}:task:due`, 1, id);
  }
  await entities.create("t1");
  await runOut(home, entities, "t1");
  await valkey.acl("SETUSER", user, "on", "nopass", "~*", "&*", "+@all", lack);
  const { host, port } = await useValkey();
  const replica = await connect({ url: `valkey://${user}:x@${host}:${port}`, namespace: home.namespace });
  onTestFinished(() => replica.close());
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const [told, stuck]: [string[], Stuck[]] = [[], []];
  const sweeping = replica.sweep({
    ...{ signal: stop.signal, interval: 1, batch: 3 },
    onChange: ({ id, type }) => void told.push(`${id} ${type}`),
    onStuck: (one) => void stuck.push(one),
    onAway: ({ reply }) => void told.push(`away: ${reply}`),
    onBack: () => void told.push("back"),
  });
  const allow = () => valkey.acl("SETUSER", user, "+@all");
  return { replica, told, stuck, stop, sweeping, allow };
}

it("fires what this user may, behind more than a batch of what it may not, and says once that it waits", async () => {
  const { replica, told, stuck, stop, sweeping, allow } = await sweepAs("-del");
  await expect.poll(() => told.toSorted()).toEqual(["away: NOPERM", "t1 task.late"]);
  const { reply } = await rejectionOf(NotExecutedError, replica.sweep({ once: true, batch: 3 }));
  expect(reply).toBe("NOPERM");
  expect(told).toHaveLength(2);
  await allow();
  await expect.poll(() => told).toContain("back");
  stop.abort();
  expect(await sweeping).toEqual({ expired: 1, removed: 10, given: 0, stuck: 0 });
  expect(told.filter((line) => /^(away|back)/.test(line))).toEqual(["away: NOPERM", "back"]);
  expect(stuck).toEqual([]);
});

it("takes a user who may not fire anything for a server that is away", async () => {
  const { told, stuck, stop, sweeping, allow } = await sweepAs("-evalsha");
  await expect.poll(() => told).toEqual(["away: NOPERM"]);
  await allow();
  await expect.poll(() => told.length).toBe(13);
  stop.abort();
  expect(await sweeping).toEqual({ expired: 1, removed: 10, given: 0, stuck: 0 });
  expect(stuck).toEqual([]);
});
