import { expect, it } from "vitest";
import type { Change } from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { all } from "../helpers/client.js";
import { AT_ONCE, gate, nameOf, reacting, replicas } from "../helpers/reactions.js";

/** Runs a handler for a change that a failover loses, while the new log gives its ID to another change. */
async function reuse(other: (text: string) => string, end: () => void): Promise<string[]> {
  const { list, namespace } = await replicas(1);
  const [ours] = list;
  const valkey = await admin();
  const key = `{${namespace}:0}:dial:events`;
  await ours.create("x0");
  const met: string[] = [];
  const running = gate();
  const finished = gate();
  const handler = async (change: Change): Promise<void> => {
    met.push(`${nameOf(change)} ${change.state}`);
    if (met.length > 1) return;
    running.open();
    await finished.promise;
    end();
  };
  await reacting(ours, handler, { retries: AT_ONCE });
  const before = await valkey.dumpBuffer(key);
  await ours.create("x1");
  await running.promise;
  const [[id = "", fields = []] = []] = await valkey.xrevrange(key, "+", "-", "COUNT", 1);
  await valkey
    .multi()
    .restore(key, 0, before, "REPLACE")
    .xadd(key, id, "doc", other(fields[1] ?? ""))
    .exec();
  const pending = async () => (await valkey.xpending(key, "r", id, id, 1)).length;
  // An event of another entity is handled beside the lost one.
  await expect.poll(async () => met.length === 2 || (await pending()) === 1).toBe(true);
  finished.open();
  await expect.poll(() => met.length).toBe(2);
  await expect.poll(pending).toBe(0);
  expect(await all(ours.deadLetters("r"))).toEqual([]);
  return met;
}

const success = (): void => {};
const failure = (): never => {
  throw new Error("busy");
};
const ofOtherEntity = (text: string): string => text.replace('"id":"x1"', '"id":"x2"');
const ofOtherState = (text: string): string => text.replace('"state":"a"', '"state":"b"');

it.each([
  ["of another entity, while the handler of the lost event succeeds", ofOtherEntity, success, "x2@1 a"],
  ["of another entity, while the handler of the lost event fails", ofOtherEntity, failure, "x2@1 a"],
  ["of the same entity, while the handler of the lost event succeeds", ofOtherState, success, "x1@1 b"],
  ["of the same entity, while the handler of the lost event fails", ofOtherState, failure, "x1@1 b"],
] as const)(
  "an event is handled that got the ID of a lost one after a failover: %s",
  async (_, other, end, next) => {
    expect(await reuse(other, end)).toEqual(["x1@1 a", next]);
  },
);
