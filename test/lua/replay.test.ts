import { Valkey } from "iovalkey";
import { expect, it, onTestFinished } from "vitest";
import { startValkey } from "../../src/testing/index.js";
import { Calls, machine, op } from "../helpers/calls.js";
import { keyspace, unchanged } from "../helpers/keyspace.js";
import { parcel } from "../helpers/parcel.js";
import { countsOwnWrites } from "../helpers/server-program.js";

it("returns to a retry the version of its change, and the current entity", async () => {
  const calls = await machine(parcel);
  const created = await calls.ok("create", "p1", "SET", "n", "1", ...op("o1"));
  const patched = await calls.ok("patch", "p1", "SET", "n", "2", ...op("o2"));
  const replay = (version: number) =>
    `{"machine":"parcel","id":"p1","state":"packed","version":2,"timestamp":"${patched.timestamp}",` +
    `"since":"${created.since}","createdAt":"${created.createdAt}","opVersion":${version},"n":2}`;
  expect(await calls.run("create", "p1", "SET", "n", "1", ...op("o1"))).toEqual([
    "REPLAYED",
    replay(1),
    null,
  ]);
  expect(await calls.run("patch", "p1", "SET", "n", "2", ...op("o2"))).toEqual(["REPLAYED", replay(2), null]);
});

it("recognises the key of any operation in any other", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", ...op("o1"));
  await calls.ok("transition", "p1", "sent", ...op("o2"));
  await calls.ok("patch", "p1", "SET", "n", "1", ...op("o3"));
  for (const [at, key] of ["o1", "o2", "o3"].entries()) {
    for (const [operation, ...args] of [
      ["create"],
      ["transition", "lost"],
      ["patch", "SET", "n", "2"],
      ["remove"],
      ["restore", "packed", "1", "0", "1000000000000"],
    ] as const) {
      const [outcome, document] = await unchanged(calls, () =>
        calls.run(operation, "p1", ...args, ...op(key)),
      );
      expect([operation, outcome]).toEqual([operation, "REPLAYED"]);
      expect(JSON.parse(String(document))).toMatchObject({ version: 3, opVersion: at + 1, n: 1 });
    }
  }
});

it("recognises the key of a restored entity's restore", async () => {
  const calls = await machine(parcel);
  const restore = ["packed", "7", "1000", "1000000000000", ...op("o1")];
  await calls.ok("restore", "p1", ...restore);
  const [outcome, document] = await unchanged(calls, () => calls.run("restore", "p1", ...restore));
  expect([outcome, JSON.parse(String(document)).opVersion]).toEqual(["REPLAYED", 7]);
});

it.each([
  ["EXPIRED", "create", ["NOTAFTER", "1"]],
  ["EXISTS", "create", []],
  ["EXPIRED", "transition", ["delivered", "NOTAFTER", "1"]],
  ["CONFLICT", "transition", ["sent", "IFVERSION", "9"]],
  ["CONFLICT", "transition", ["sent", "IFSTATE", "delivered"]],
  ["ILLEGAL", "transition", ["elsewhere"]],
  ["MISSING", "transition", ["lost", "SET", "error", "1"]],
  ["EXPIRED", "patch", ["UNSET", "n", "NOTAFTER", "1"]],
  ["CONFLICT", "patch", ["UNSET", "n", "IFVERSION", "9"]],
  ["BADARG field", "patch", ["UNSET", "sentAt"]],
  ["EXPIRED", "remove", ["NOTAFTER", "1"]],
  ["CONFLICT", "remove", ["IFVERSION", "9"]],
  ["EXISTS", "restore", ["packed", "1", "0", "1000000000000"]],
  ["BADARG to", "restore", ["elsewhere", "1", "0", "1000000000000"]],
  ["BADARG since", "restore", ["packed", "1", "0", "9999999999999"]],
] as const)(
  "answers REPLAYED to a retry that would otherwise get %s from %s %j",
  async (_, operation, args) => {
    const calls = await machine(parcel);
    await calls.ok("create", "p1", ...op("o1"));
    const [outcome] = await unchanged(calls, () => calls.run(operation, "p1", ...args, ...op("o1")));
    expect(outcome).toBe("REPLAYED");
  },
);

it("answers REPLAYED to a retry even with DRYRUN, and with a SEEN that is ahead of the log", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", ...op("o1"));
  const retries = [[...op("o1"), "DRYRUN"], op("o1", "9999999999999-0"), op("o1", await calls.end())];
  for (const retry of retries) {
    expect((await unchanged(calls, () => calls.run("create", "p1", ...retry)))[0]).toBe("REPLAYED");
  }
});

it("distinguishes similar keys", async () => {
  const calls = await machine({ ...parcel, history: 100 });
  await calls.ok("create", "p1", ...op("x.1"));
  for (const [at, key] of [".1", "x.", "x11", "1", "2", "0", "X.1"].entries()) {
    expect(await calls.ok("patch", "p1", "SET", "n", "1", ...op(key))).toMatchObject({
      version: at + 2,
      op: key,
    });
  }
});

it("keeps ops of different entities apart", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", ...op("o1"));
  await calls.ok("create", "p2", ...op("o1"));
});

it("accepts a key of all permitted characters with a length of 64, and no longer one", async () => {
  const calls = await machine(parcel);
  const key = "aZ09_.~:/@+=-".padEnd(64, "x");
  await calls.ok("create", "p1", ...op(key));
  expect((await calls.run("create", "p1", ...op(key)))[0]).toBe("REPLAYED");
  expect(await calls.error("create", calls.keys("p2"), ["p2", ...op(`${key}x`)])).toBe("BADARG OP");
});

it("leaves the keyspace as it is, except that WAIT has a write to wait for", async () => {
  const server = await startValkey({ appendOnly: true });
  onTestFinished(() => server.stop());
  const valkey = new Valkey({ host: server.host, port: server.port });
  onTestFinished(() => valkey.disconnect());
  const calls = new Calls(valkey, "parcel");
  await calls.apply(parcel);
  await calls.ok("create", "p1", ...op("o1"), "SET", "n", "1");
  const offset = async () => Number(/master_repl_offset:(\d+)/.exec(await valkey.info("replication"))?.[1]);
  const before = { keys: await keyspace(valkey, calls.namespace), offset: await offset() };

  expect((await calls.run("create", "p1", "SET", "n", "2"))[0]).toBe("EXISTS");
  expect((await calls.run("create", "p1", ...op("o1"), "DRYRUN"))[0]).toBe("REPLAYED");
  expect(await offset()).toBe(before.offset);
  expect((await calls.run("create", "p1", ...op("o1")))[0]).toBe("REPLAYED");
  // Redis before 7.2 counts the offset only with replicas, and its WAIT needs no own write.
  if (countsOwnWrites) expect(await offset()).toBeGreaterThan(before.offset);
  expect(await keyspace(valkey, calls.namespace)).toEqual(before.keys);
});
