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

/** Starts a sweep by a user without a permission: ten removals are due, and a timeout after them. */
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
  const [calls, stuck]: [string[], Stuck[]] = [[], []];
  const sweeping = replica.sweep({
    ...{ signal: stop.signal, interval: 1, batch: 3 },
    onChange: ({ id, type }) => void calls.push(`${id} ${type}`),
    onStuck: (one) => void stuck.push(one),
    onAway: (error) => void calls.push(`away: ${error instanceof NotExecutedError && error.reply}`),
    onBack: () => void calls.push("back"),
  });
  const allow = () => valkey.acl("SETUSER", user, "+@all");
  return { replica, calls, stuck, stop, sweeping, allow };
}

it("fires the timers that the user may fire, after more than a batch of others, and reports once that it waits", async () => {
  const { replica, calls, stuck, stop, sweeping, allow } = await sweepAs("-del");
  await expect.poll(() => calls.toSorted()).toEqual(["away: NOPERM", "t1 task.late"]);
  const { reply } = await rejectionOf(NotExecutedError, replica.sweep({ once: true, batch: 3 }));
  expect(reply).toBe("NOPERM");
  expect(calls).toHaveLength(2);
  await allow();
  await expect.poll(() => calls).toContain("back");
  stop.abort();
  expect(await sweeping).toEqual({ expired: 1, removed: 10, given: 0, stuck: 0 });
  expect(calls.filter((line) => /^(away|back)/.test(line))).toEqual(["away: NOPERM", "back"]);
  expect(stuck).toEqual([]);
});

it("waits if the user may not fire any timer", async () => {
  const { calls, stuck, stop, sweeping, allow } = await sweepAs("-evalsha");
  await expect.poll(() => calls).toEqual(["away: NOPERM"]);
  await allow();
  await expect.poll(() => calls.length).toBe(13);
  stop.abort();
  expect(await sweeping).toEqual({ expired: 1, removed: 10, given: 0, stuck: 0 });
  expect(stuck).toEqual([]);
});
