import { expect, it } from "vitest";
import type { Operation } from "../../src/lua/index.js";
import { type Argument, op } from "../helpers/calls.js";
import { type Clocked, clocked } from "../helpers/clock.js";
import { unchanged } from "../helpers/keyspace.js";
import { MINUTE, task } from "../helpers/leased.js";
import { record } from "../helpers/recorder.js";

/** Makes t1, which is in `working` and whose lease has expired, and done1, whose retention has. */
async function standing(): Promise<Clocked> {
  const location = await clocked(task);
  for (const id of ["t1", "done1"]) {
    await location.ok("create", id, "SET", "m", "1", ...op("o1"));
    await location.ok("transition", id, "working");
  }
  await location.ok("transition", "done1", "done");
  location.pass(MINUTE);
  return location;
}

const accepted: readonly [operation: Operation, id: string, ...args: Argument[]][] = [
  ["create", "new", "SET", "n", "1", ...op("o9")],
  ["transition", "t1", "waiting", "UNSET", "m", "ACTOR", "ann"],
  ["transition", "t1", "parked", "FORCE", "REASON", "by hand"],
  ["transition", "t1", "lost", "SET", "error", "1"],
  ["patch", "t1", "SET", "n", "1", ...op("o9")],
  ["heartbeat", "t1", "IFVERSION", "2"],
  ["expire", "t1"],
  ["expire", "done1"],
  ["remove", "t1", "REASON", "tidy"],
  ["restore", "new", "lost", "7", "1000", "1000000000000", "SET", "error", "1", ...op("o9")],
];

it.each(accepted)(
  "returns the reply of %s %s without a position, and writes and publishes nothing",
  async (...call) => {
    const location = await standing();
    const recorder = await record(location.valkey, location.channel);
    const dry = await unchanged(location, () => location.run(...call, "DRYRUN"));
    expect(await recorder.published()).toEqual([]);
    const [outcome, document] = await location.run(...call);
    expect(dry).toEqual([outcome, document, null]);
    expect(outcome).toBe("OK");
  },
);

const rejected: readonly [operation: Operation, id: string, ...args: Argument[]][] = [
  ["create", "t1"],
  ["create", "t1", ...op("o1")],
  ["create", "new", "NOTAFTER", "1"],
  ["create", "new", ...op("o9", "9999999999999-0")],
  ["transition", "t1", "held"],
  ["transition", "t1", "lost"],
  ["transition", "t1", "waiting", "IFVERSION", "1"],
  ["patch", "gone", "SET", "n", "1"],
  ["heartbeat", "done1"],
  ["expire", "gone"],
  ["remove", "t1", "IFSTATE", "held"],
  ["restore", "t1", "lost", "7", "1000", "1000000000000", "SET", "error", "1", ...op("o9")],
];

it.each(rejected)("rejects %s %s %s as without DRYRUN", async (...call) => {
  const location = await standing();
  const dry = await unchanged(location, () => location.run(...call, "DRYRUN"));
  expect(dry[0]).not.toBe("OK");
  expect(await location.run(...call)).toEqual(dry);
});

it("reports a key of a wrong type, and limits, as without DRYRUN", async () => {
  const location = await standing();
  const many = Array.from({ length: 64 }, (_, n) => ["SET", `f${n}`, "1"]).flat();
  expect(await location.run("patch", "t1", ...many, "DRYRUN").catch(String)).toContain("BADARG SET");
  const key = location.key("index");
  await location.valkey.del(key);
  await location.valkey.set(key, "planted");
  expect(await location.run("patch", "t1", "SET", "n", "1", "DRYRUN").catch(String)).toContain("WRONGTYPE");
});
