import { Valkey } from "iovalkey";
import { expect, it, onTestFinished } from "vitest";
import { startValkey } from "../../src/testing/index.js";
import { Calls, machine } from "../helpers/calls.js";
import { keyspace } from "../helpers/keyspace.js";
import { parcel } from "../helpers/parcel.js";

it("returns to a retry the version of its change, and the current entity", async () => {
  const calls = await machine(parcel);
  const created = await calls.ok("create", "p1", "SET", "n", "1", "OP", "o1");
  const patched = await calls.ok("patch", "p1", "SET", "n", "2", "OP", "o2");
  const replay = (version: number) =>
    `{"machine":"parcel","id":"p1","state":"packed","version":2,"timestamp":"${patched.timestamp}",` +
    `"since":"${created.since}","createdAt":"${created.createdAt}","opVersion":${version},"n":2}`;
  expect(await calls.run("create", "p1", "SET", "n", "1", "OP", "o1")).toEqual(["REPLAYED", replay(1)]);
  expect(await calls.run("patch", "p1", "SET", "n", "2", "OP", "o2", "SENT", "1")).toEqual([
    "REPLAYED",
    replay(2),
  ]);
});

it("recognises the key of any operation in any other", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", "OP", "o1");
  await calls.ok("transition", "p1", "sent", "OP", "o2");
  await calls.ok("patch", "p1", "SET", "n", "1", "OP", "o3");
  for (const [at, op] of ["o1", "o2", "o3"].entries()) {
    for (const [operation, ...args] of [
      ["create"],
      ["transition", "lost"],
      ["patch", "SET", "n", "2"],
      ["remove"],
    ] as const) {
      const [outcome, document] = await calls.run(operation, "p1", ...args, "OP", op);
      expect([operation, outcome]).toEqual([operation, "REPLAYED"]);
      expect(JSON.parse(String(document))).toMatchObject({ version: 3, opVersion: at + 1, n: 1 });
    }
  }
});

it("answers a replay before it judges conditions, table and required fields, which the first attempt has met", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  const move = ["sent", "OP", "o1", "IFVERSION", "1", "IFSTATE", "packed"];
  await calls.ok("transition", "p1", ...move);
  await calls.ok("transition", "p1", "lost", "SET", "error", "1");
  expect((await calls.run("transition", "p1", ...move))[0]).toBe("REPLAYED");
});

it("rejects a replay after NOTAFTER, because its caller no longer waits", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", "OP", "o1");
  expect((await calls.run("create", "p1", "OP", "o1", "NOTAFTER", "1"))[0]).toBe("EXPIRED");
});

it("distinguishes similar keys", async () => {
  const calls = await machine({ ...parcel, history: 100 });
  await calls.ok("create", "p1", "OP", "x.1");
  for (const [at, op] of [".1", "x.", "x11", "1", "2", "0", "X.1"].entries()) {
    expect(await calls.ok("patch", "p1", "SET", "n", "1", "OP", op)).toMatchObject({ version: at + 2, op });
  }
});

it("keeps ops of different entities apart", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", "OP", "o1");
  await calls.ok("create", "p2", "OP", "o1");
});

it("accepts a key of all permitted characters with a length of 64, and no longer one", async () => {
  const calls = await machine(parcel);
  const op = "aZ09_.~:/@+=-%".slice(0, -1).padEnd(64, "x");
  await calls.ok("create", "p1", "OP", op);
  expect((await calls.run("create", "p1", "OP", op))[0]).toBe("REPLAYED");
  expect(await calls.error("create", calls.keys("p2"), ["p2", "OP", `${op}x`])).toBe("BADARG OP");
});

it("leaves the keyspace as it is, except that WAIT has a write to wait for", async () => {
  const server = await startValkey({ appendOnly: true });
  onTestFinished(() => server.stop());
  const valkey = new Valkey({ host: server.host, port: server.port });
  onTestFinished(() => valkey.disconnect());
  const calls = new Calls(valkey, "parcel");
  await calls.apply(parcel);
  await calls.ok("create", "p1", "OP", "o1", "SET", "n", "1");
  const offset = async () => Number(/master_repl_offset:(\d+)/.exec(await valkey.info("replication"))?.[1]);
  const before = { keys: await keyspace(valkey, calls.namespace), offset: await offset() };

  expect((await calls.run("create", "p1", "SET", "n", "2"))[0]).toBe("EXISTS");
  expect(await offset()).toBe(before.offset);
  expect((await calls.run("create", "p1", "OP", "o1"))[0]).toBe("REPLAYED");
  expect(await offset()).toBeGreaterThan(before.offset);
  expect(await keyspace(valkey, calls.namespace)).toEqual(before.keys);
});
