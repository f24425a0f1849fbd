import { expect, it } from "vitest";
import { type Calls, machine, op, type Reply } from "../helpers/calls.js";
import { unchanged } from "../helpers/keyspace.js";
import { parcel } from "../helpers/parcel.js";

/** Creates p1, and patches it with the keys o1, o2 and so on. Returns the position before each patch and after the last. */
async function withOps(count: number, history = 4): Promise<{ calls: Calls; positions: string[] }> {
  const calls = await machine({ ...parcel, history });
  await calls.ok("create", "p1");
  const positions = [await calls.end()];
  for (let n = 1; n <= count; n++) {
    const [, , position] = await calls.run("patch", "p1", "SET", "n", n, ...op(`o${n}`, positions.at(-1)));
    positions.push(String(position));
  }
  return { calls, positions };
}

const retry = (calls: Calls, key: string, seen?: string) =>
  calls.run("patch", "p1", "SET", "again", "1", ...op(key, seen));

/** Asserts a reply of FORGOTTEN, with the entity if it exists and the log's end, and that nothing was written. */
async function forgotten(calls: Calls, call: () => Promise<Reply>, document: object | null): Promise<void> {
  const [outcome, text, position] = await unchanged(calls, call);
  expect([outcome, position]).toEqual(["FORGOTTEN", await calls.end()]);
  if (document === null) expect(text).toBeNull();
  else expect(JSON.parse(String(text))).toMatchObject(document);
}

// A log is trimmed by eight changes once it holds 40. Then 32 are left.
it.each([32, 38, 39, 47])(
  "remembers the keys of at least the last 32 changes, after %i patches",
  async (count) => {
    const { calls, positions } = await withOps(count);
    for (let n = Math.max(1, count - 31); n <= count; n++) {
      const [outcome, document] = await unchanged(calls, () => retry(calls, `o${n}`, positions[n - 1]));
      expect([outcome, JSON.parse(String(document)).opVersion]).toEqual(["REPLAYED", n + 1]);
    }
  },
);

it("remembers more keys if the machine's history is longer", async () => {
  const { calls, positions } = await withOps(47, 40);
  for (let n = 8; n <= 47; n++) expect((await retry(calls, `o${n}`, positions[n - 1]))[0]).toBe("REPLAYED");
  await forgotten(calls, () => retry(calls, "o7", positions[6]), { version: 48 });
});

it("rejects a forgotten key to a caller that knew a position before it", async () => {
  const { calls, positions } = await withOps(39);
  expect((await calls.hash("p1"))["ops:forgot"]).toBe(positions[7]);
  for (const seen of ["0-0", positions[0], positions[6]]) {
    await forgotten(calls, () => retry(calls, "o7", seen), { version: 40, n: 39 });
    await forgotten(calls, () => retry(calls, "unheard-of", seen), { version: 40, n: 39 });
  }
});

it("makes the change of a key that is not remembered if the caller knew the position of the newest forgotten one", async () => {
  const { calls, positions } = await withOps(39);
  expect((await retry(calls, "o1", positions[7]))[0]).toBe("OK");
  expect((await retry(calls, "new", await calls.end()))[0]).toBe("OK");
});

it("executes after FORGOTTEN if the caller sends again with the returned position", async () => {
  const { calls } = await withOps(40);
  const [outcome, , end = null] = await retry(calls, "new");
  expect(outcome).toBe("FORGOTTEN");
  const [again, , position] = await retry(calls, "new", String(end));
  expect([again, position]).toEqual(["OK", await calls.end()]);
  expect((await retry(calls, "new", String(end)))[0]).toBe("REPLAYED");
});

it("forgets nothing by changes without a key", async () => {
  const { calls, positions } = await withOps(1);
  for (let n = 0; n < 37; n++) await calls.ok("patch", "p1", "SET", "n", "0");
  expect((await retry(calls, "o1", positions[0]))[0]).toBe("REPLAYED");
  await calls.ok("patch", "p1", "SET", "n", "0");
  await forgotten(calls, () => retry(calls, "o1", positions[0]), {});
  for (let n = 0; n < 40; n++) await calls.ok("patch", "p1", "SET", "n", "0");
  expect((await calls.hash("p1"))["ops:forgot"]).toBe(positions[1]);
  expect((await retry(calls, "new", positions[1]))[0]).toBe("OK");
});

it("never forgets a key of an entity that never had one", async () => {
  const { calls } = await withOps(0);
  for (let n = 0; n < 40; n++) await calls.ok("patch", "p1", "SET", "n", "0");
  expect((await calls.hash("p1"))["ops:forgot"]).toBe("0-0");
  expect((await retry(calls, "new"))[0]).toBe("OK");
});

it("knows the newest forgotten key when a newer machine keeps fewer changes, at most 32 of which each change trims", async () => {
  const { calls, positions } = await withOps(99, 100);
  await calls.apply({ ...parcel, version: 2 });
  for (const [kept, newest] of [
    [69, 31],
    [38, 63],
    [39, 63],
    [32, 71],
  ] as const) {
    await calls.ok("patch", "p1", "SET", "n", "0");
    expect(await calls.changes("p1")).toHaveLength(kept);
    expect((await calls.hash("p1"))["ops:forgot"]).toBe(positions[newest]);
    await forgotten(calls, () => retry(calls, `o${newest}`, positions[newest - 1]), {});
    expect((await retry(calls, `o${newest + 1}`, positions[newest]))[0]).toBe("REPLAYED");
  }
});

it("rejects a key if the caller has seen a position that the log has not reached, because it lost changes", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  const seen = `${Date.now() + 3_600_000}-0`; // ahead of the clock, too
  for (const [operation, id, ...args] of [
    ["create", "p2"],
    ["create", "p1"],
    ["transition", "p1", "sent"],
    ["patch", "p1", "SET", "n", "1"],
    ["remove", "p1"],
    ["remove", "p2"],
  ] as const) {
    const call = () => calls.run(operation, id, ...args, ...op("o1", seen));
    await forgotten(calls, call, id === "p1" ? { version: 1 } : null);
  }
  const [outcome, , end] = await calls.run("create", "p2", ...op("o1", seen));
  expect(outcome).toBe("FORGOTTEN");
  expect((await calls.run("create", "p2", ...op("o1", String(end))))[0]).toBe("OK");
});

it("returns 0-0 as the end of a log without changes, and accepts it", async () => {
  const calls = await machine(parcel);
  const reply = await calls.run("create", "p1", ...op("o1", `${Date.now() + 3_600_000}-0`));
  expect(reply).toEqual(["FORGOTTEN", null, "0-0"]);
  expect((await calls.run("create", "p1", ...op("o1", "0-0")))[0]).toBe("OK");
});

it("assigns a position after SEEN to every change, also if the clock is behind the log", async () => {
  const calls = await machine(parcel);
  const ahead = Date.now() + 3_600_000;
  await calls.ok("create", "p1");
  await calls.valkey.xadd(calls.key("events"), `${ahead}-7`, "doc", "{}");
  const steps = [
    ["patch", "p1", "SET", "n", "1"],
    ["transition", "p1", "sent"],
    ["remove", "p1"],
    ["create", "p1"],
  ] as const;
  for (const [at, [operation, id, ...args]] of steps.entries()) {
    const [, , position] = await calls.run(operation, id, ...args, ...op(`a${at}`, await calls.end()));
    expect(position).toBe(`${ahead}-${8 + at}`);
  }
});

it("rejects a retry to an id whose entity was removed after the caller's position", async () => {
  const calls = await machine(parcel);
  const before = await calls.end();
  const [, , born] = await calls.run("create", "p1", ...op("o1", before));
  const [, , removed] = await calls.run("remove", "p1", ...op("o2", String(born)));
  for (const [operation, ...args] of [
    ["create"],
    ["transition", "sent"],
    ["patch", "SET", "n", "1"],
    ["remove"],
    ["restore", "packed", "1", "0", "1000000000000"],
  ] as const) {
    for (const seen of [before, String(born)]) {
      await forgotten(calls, () => calls.run(operation, "p1", ...args, ...op("o2", seen)), null);
    }
  }
  const [outcome] = await calls.run("transition", "p1", "sent", ...op("o3", String(removed)));
  expect(outcome).toBe("NOTFOUND");
  expect((await calls.run("create", "p1", ...op("o1", String(removed))))[0]).toBe("OK");
});

it("rejects a retry that may have been applied to an earlier life of the id", async () => {
  const calls = await machine(parcel);
  const [, , born] = await calls.run("create", "p1", ...op("o1"));
  const [, , removed] = await calls.run("remove", "p1");
  await calls.ok("create", "p1");
  expect((await calls.hash("p1"))["ops:forgot"]).toBe(removed);
  for (const [operation, ...args] of [
    ["create"],
    ["transition", "sent"],
    ["patch", "SET", "n", "1"],
    ["remove"],
    ["restore", "packed", "1", "0", "1000000000000"],
  ] as const) {
    await forgotten(calls, () => calls.run(operation, "p1", ...args, ...op("late", String(born))), {
      version: 1,
    });
  }
  expect((await retry(calls, "new", String(removed)))[0]).toBe("OK");
});

it("answers FORGOTTEN before every outcome that says nothing about earlier attempts", async () => {
  const { calls } = await withOps(39);
  for (const [operation, ...args] of [
    ["create"],
    ["create", "NOTAFTER", "1"],
    ["transition", "elsewhere"],
    ["transition", "sent", "IFVERSION", "9"],
    ["transition", "lost", "NOTAFTER", "1"],
    ["patch", "UNSET", "sentAt"],
    ["remove", "IFSTATE", "sent", "NOTAFTER", "1"],
    ["patch", "SET", "n", "1", "DRYRUN"],
  ] as const) {
    await forgotten(calls, () => calls.run(operation, "p1", ...args, ...op("o1")), { version: 40 });
  }
});

it("makes a change without a key, however much is forgotten", async () => {
  const { calls } = await withOps(40);
  expect(await calls.ok("patch", "p1", "SET", "n", "41")).toMatchObject({ version: 42 });
  await calls.ok("remove", "p1");
  expect(await calls.ok("create", "p1")).toMatchObject({ version: 1 });
});

it("rejects decisions by a position that it cannot read", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  await calls.valkey.hset(calls.key("id:p1"), "ops:forgot", "yesterday");
  const args = ["p1", "SET", "n", "1", ...op("o1")];
  expect(await calls.error("patch", calls.keys("p1"), args)).toMatch(/^LAYOUT /);
  await calls.valkey.hset(calls.key("machine"), "floor", "1");
  expect(await calls.error("create", calls.keys("p2"), ["p2", ...op("o1")])).toMatch(/^LAYOUT /);
});
