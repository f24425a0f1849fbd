import { expect, it } from "vitest";
import { admin, Calls, type Definition, evalsha, machine, op } from "../helpers/calls.js";
import { keyspace } from "../helpers/keyspace.js";
import { ORDINALS, parcel } from "../helpers/parcel.js";

/** The next version of parcel, without the states named and without held, whose timers need sent. */
function without(named: string[], version = 2): Definition {
  const dropped = [...named, "held"];
  const kept = Object.entries(parcel.states).filter(([state]) => !dropped.includes(state));
  const states = kept.map(([state, spec]) => [
    state,
    "to" in spec ? { ...spec, to: spec.to.filter((to) => !dropped.includes(to)) } : spec,
  ]);
  return { ...parcel, version, states: Object.fromEntries(states) };
}

it("installs a machine into a fresh location and says that it did", async () => {
  const calls = new Calls(await admin(), "parcel");
  expect(await calls.apply(parcel)).toEqual([
    "OK",
    '{"machine":"parcel","version":1,"changed":true,"retired":{}}',
    null,
  ]);
  await calls.ok("create", "p1");
});

it("keeps the definition byte for byte in one line, for every client to read", async () => {
  const calls = new Calls(await admin(), "parcel");
  const text = JSON.stringify(parcel, null, 2);
  await calls.apply(text);
  const hash = await calls.valkey.hgetall(calls.key("machine"));
  const definition = text.replaceAll("\n", "");
  expect(hash).toMatchObject({ layout: "2", name: "parcel", version: "1", definition });
});

it("changes nothing when the same is applied again", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  const before = await keyspace(calls.valkey, calls.namespace);
  const same = ["OK", '{"machine":"parcel","version":1,"changed":false,"retired":{}}', null];
  expect(await calls.apply(parcel)).toEqual(same);
  expect(await keyspace(calls.valkey, calls.namespace)).toEqual(before);
});

it("rejects another definition under the same version", async () => {
  const calls = await machine(parcel);
  expect(await calls.apply({ ...parcel, history: 5 })).toEqual([
    "INUSE",
    '{"machine":"parcel","version":1,"problem":"DIFFERENT","states":{}}',
    null,
  ]);
});

it("rejects a lower version, and returns the installed one", async () => {
  const calls = await machine({ ...parcel, version: 7 });
  const lower = ["INUSE", '{"machine":"parcel","version":7,"problem":"LOWER","states":{}}', null];
  expect(await calls.apply({ ...parcel, version: 6 })).toEqual(lower);
  expect(await calls.apply({ ...parcel, version: 1, history: 5 }, "DRYRUN")).toEqual(lower);
});

it("judges every later change by the newer version", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  const { packed, ...rest } = parcel.states;
  const stricter = {
    packed: { ...packed, to: ["lost"] },
    ...rest,
    sent: { ...rest.sent, require: ["route"] },
    held: { to: ["sent"] },
  };
  await calls.apply({ ...parcel, version: 2, states: stricter });
  expect((await calls.run("transition", "p1", "sent"))[0]).toBe("ILLEGAL");
  expect((await calls.run("transition", "p1", "sent", "FORCE", "REASON", "so be it"))[0]).toBe("MISSING");
  const looser = { ...stricter, packed: { to: ["sent", "lost"], event: "parcel.born" } };
  await calls.apply({ ...parcel, version: 3, states: looser });
  expect((await calls.ok("transition", "p1", "sent", "SET", "route", "1")).state).toBe("sent");
  expect((await calls.ok("create", "p2")).type).toBe("parcel.born");
});

it("rejects dropping states that still have entities, and returns how many", async () => {
  const calls = await machine(parcel);
  for (const id of ["p1", "p2", "p3"]) await calls.ok("create", id, "SET", "signature", "1");
  for (const id of ["p2", "p3"]) await calls.ok("transition", id, "sent");
  await calls.ok("transition", "p3", "delivered");
  const rejected = '{"machine":"parcel","version":1,"problem":"STATES","states":{"sent":1,"delivered":1}}';
  expect(await calls.apply(without(["sent", "delivered"]))).toEqual(["INUSE", rejected, null]);
  expect(await calls.apply(without(["sent", "delivered"]), "MAP", "sent", "packed")).toEqual([
    "INUSE",
    rejected,
    null,
  ]);
  expect(await calls.apply(without(["held"]))).toEqual([
    "OK",
    '{"machine":"parcel","version":2,"changed":true,"retired":{}}',
    null,
  ]);
});

it("lets entities of a dropped state move to where MAP says, and nowhere else", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  await calls.ok("transition", "p1", "sent");
  expect(await calls.apply(without(["sent"]), "MAP", "sent", "packed")).toEqual([
    "OK",
    '{"machine":"parcel","version":2,"changed":true,"retired":{"sent":1}}',
    null,
  ]);
  expect(await calls.ok("patch", "p1", "SET", "n", "1")).toMatchObject({
    state: "sent",
    type: "parcel.updated",
  });
  expect((await calls.run("transition", "p1", "lost", "SET", "error", "1"))[0]).toBe("ILLEGAL");
  expect(await calls.ok("transition", "p1", "packed")).toMatchObject({ from: "sent", state: "packed" });
  expect((await calls.run("transition", "p1", "sent"))[0]).toBe("ILLEGAL");
  expect((await calls.run("transition", "p1", "sent", "FORCE", "REASON", "back"))[0]).toBe("ILLEGAL");
});

it("lets an entity of a dropped state be removed, or forced to any state", async () => {
  const calls = await machine(parcel);
  for (const id of ["p1", "p2"]) {
    await calls.ok("create", id, "SET", "signature", "1");
    await calls.ok("transition", id, "sent");
  }
  await calls.apply(without(["sent"]), "MAP", "sent", "packed");
  expect(await calls.ok("transition", "p1", "delivered", "FORCE", "REASON", "seen")).toMatchObject({
    from: "sent",
  });
  expect(await calls.ok("remove", "p2")).toMatchObject({ state: "sent" });
});

it("asks for MAP again as long as an entity is left in a dropped state", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  await calls.ok("transition", "p1", "sent");
  await calls.apply(without(["sent"]), "MAP", "sent", "packed");
  expect((await calls.apply(without(["sent"], 3)))[0]).toBe("INUSE");
  expect((await calls.apply(without(["sent"], 3), "MAP", "sent", "packed"))[0]).toBe("OK");
  await calls.ok("transition", "p1", "packed");
  expect((await calls.apply(without(["sent"], 4)))[0]).toBe("OK");
});

it("never gives a state another location in the index, nor a new one the place of a dropped one", async () => {
  const calls = await machine(parcel);
  const order = async () => String(await calls.valkey.hget(calls.key("machine"), "states")).split(" ");
  const first = Object.keys(ORDINALS);
  expect(await order()).toEqual(first);
  await calls.apply({ ...without(["sent"]), initial: "delivered" });
  expect(await order()).toEqual(first);
  const states = { found: { to: ["packed"] }, ...parcel.states };
  await calls.apply({ ...parcel, version: 3, initial: "found", states });
  expect(await order()).toEqual([...first, "found"]);
  const found = await calls.ok("create", "p1");
  expect(await calls.score("index", "p1")).toBe(String(5e13 + Date.parse(found.timestamp)));
  await calls.ok("transition", "p1", "packed");
  const sent = await calls.ok("transition", "p1", "sent");
  expect(await calls.score("index", "p1")).toBe(String(1e13 + Date.parse(sent.timestamp)));
});

it("returns with DRYRUN what it would do, and writes nothing", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  await calls.ok("transition", "p1", "sent");
  const before = await keyspace(calls.valkey, calls.namespace);
  const would = ["OK", '{"machine":"parcel","version":2,"changed":true,"retired":{"sent":1}}', null];
  expect(await calls.apply(without(["sent"]), "DRYRUN", "MAP", "sent", "packed")).toEqual(would);
  expect(await calls.apply(without(["sent"]), "MAP", "sent", "packed", "DRYRUN")).toEqual(would);
  expect((await calls.apply(without(["sent"]), "DRYRUN"))[0]).toBe("INUSE");
  expect((await calls.apply(parcel, "DRYRUN"))[1]).toContain('"changed":false');
  const fresh = new Calls(calls.valkey, "parcel");
  expect((await fresh.apply(parcel, "DRYRUN"))[1]).toContain('"changed":true');
  expect(await keyspace(calls.valkey, calls.namespace)).toEqual(before);
});

it("fences a machine off from callers of an earlier one with FENCE, and only when it is new", async () => {
  const earlier = await machine(parcel);
  await earlier.ok("create", "p1");
  const seen = await earlier.end();
  await earlier.valkey.del(...(await earlier.valkey.keys(`{${earlier.namespace}:0}*`)));
  await earlier.apply(parcel, "FENCE", "DRYRUN");
  expect(await earlier.valkey.exists(earlier.key("machine"))).toBe(0);
  await earlier.apply(parcel, "FENCE");
  const [outcome, document, position] = await earlier.run("create", "p1", ...op("o1", seen));
  expect([outcome, document]).toEqual(["FORGOTTEN", null]);
  expect(await earlier.valkey.hget(earlier.key("machine"), "floor")).toBe(position);
  await earlier.apply({ ...parcel, version: 2 }, "FENCE");
  expect(await earlier.valkey.hget(earlier.key("machine"), "floor")).toBe(position);
  await expect
    .poll(() => earlier.run("create", "p1", ...op("o1", String(position))).then(([word]) => word))
    .toBe("OK");
  expect(await earlier.error("apply", earlier.applyKeys(), [JSON.stringify(parcel), "FENCE", "FENCE"])).toBe(
    "BADARG FENCE",
  );
});

it.each([
  ["a state that is not dropped", ["MAP", "packed", "lost"]],
  ["a state that never was", ["MAP", "elsewhere", "lost"]],
  ["a target that is not in the machine", ["MAP", "sent", "elsewhere"]],
  ["a dropped target", ["MAP", "sent", "sent"]],
  ["the same state twice", ["MAP", "sent", "packed", "MAP", "sent", "lost"]],
  ["no target", ["MAP", "sent"]],
  ["no state", ["MAP"]],
  ["no name of a state", ["MAP", "Sent", "packed"]],
])("rejects MAP of %s", async (_, args) => {
  const calls = await machine(parcel);
  const text = JSON.stringify(without(["sent"]));
  expect(await calls.error("apply", calls.applyKeys(), [text, ...args])).toBe("BADARG MAP");
});

it("rejects a machine of another layout", async () => {
  const calls = await machine(parcel);
  await calls.valkey.hset(calls.key("machine"), "layout", "1");
  expect(await calls.error("apply", calls.applyKeys(), [JSON.stringify({ ...parcel, version: 2 })])).toMatch(
    /^LAYOUT /,
  );
});

it("lets one of many definitions of a version win, and returns the winner to the others", async () => {
  const calls = new Calls(await admin(), "parcel");
  const replies = await Promise.all(
    Array.from({ length: 10 }, (_, n) => calls.apply({ ...parcel, history: n + 1 })),
  );
  expect(replies.map(([outcome]) => outcome).sort()).toEqual([...Array(9).fill("INUSE"), "OK"]);
});

it("keeps machines and namespaces apart", async () => {
  const calls = await machine(parcel);
  const other = new Calls(calls.valkey, "box", calls.namespace);
  await other.apply({ ...parcel, name: "box", version: 4 });
  await calls.ok("create", "p1");
  expect(await other.run("transition", "p1", "sent")).toEqual(["NOTFOUND", null, null]);
  expect((await other.ok("create", "p1")).machine).toBe("box");
  expect(await calls.events()).toHaveLength(1);
});

it("numbers at most 800 states over all versions", async () => {
  const calls = new Calls(await admin(), "parcel");
  const fresh = (version: number, count: number) => {
    const states = Object.fromEntries(Array.from({ length: count }, (_, n) => [`s${version}-${n}`, {}]));
    return JSON.stringify({ name: "parcel", version, initial: `s${version}-0`, states });
  };
  for (let version = 1; version <= 12; version++)
    await evalsha(calls.valkey, "apply", calls.applyKeys(), [fresh(version, 64)]);
  expect(await calls.error("apply", calls.applyKeys(), [fresh(13, 33)])).toBe("BADARG states");
  expect((await calls.apply(fresh(13, 32)))[0]).toBe("OK");
  const { since } = await calls.ok("create", "p1");
  expect(await calls.score("index", "p1")).toBe(String(768e13 + Date.parse(String(since))));
});

it("records the version of each machine of a namespace where every tool looks for it", async () => {
  const calls = await machine(parcel);
  const other = new Calls(calls.valkey, "box", calls.namespace);
  const [, , machinesKey = ""] = calls.applyKeys();
  await other.apply({ ...parcel, name: "box", version: 4 });
  expect(await calls.valkey.hgetall(machinesKey)).toEqual({ parcel: "1", box: "4" });
  await calls.apply({ ...parcel, version: 2 });
  await calls.apply({ ...parcel, version: 3 }, "DRYRUN");
  await calls.apply(parcel);
  expect(await calls.valkey.hgetall(machinesKey)).toEqual({ parcel: "2", box: "4" });
});

it("records an installed machine again if its record is absent", async () => {
  const calls = await machine(parcel);
  const [, , machinesKey = ""] = calls.applyKeys();
  await calls.valkey.del(machinesKey);
  expect((await calls.apply(parcel))[1]).toContain('"changed":false');
  expect(await calls.valkey.hgetall(machinesKey)).toEqual({ parcel: "1" });
});

it("counts no tombstone as an entity of a dropped state", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  await calls.ok("transition", "p1", "sent");
  await calls.ok("remove", "p1");
  expect((await calls.apply(without(["sent"])))[1]).toContain('"retired":{}');
});
