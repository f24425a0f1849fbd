import { expect, it } from "vitest";
import { admin, Calls, machine, op } from "../helpers/calls.js";
import { parcel } from "../helpers/parcel.js";

async function created(...options: string[]) {
  const calls = await machine(parcel);
  return { calls, before: await calls.ok("create", "p1", ...options) };
}

it("moves an entity along a transition of its machine and returns the change", async () => {
  const { calls, before } = await created("SET", "n", "1", "ACTOR", "ann", ...op("o1"));
  const [outcome, document, position] = await calls.run(
    "transition",
    "p1",
    "sent",
    ...op("o2"),
    "ACTOR",
    "bob",
    "REASON",
    "due",
  );
  expect([outcome, position]).toEqual(["OK", await calls.end()]);
  const { timestamp } = JSON.parse(String(document));
  expect(document).toBe(
    `{"type":"parcel.sent","machine":"parcel","id":"p1","from":"packed","state":"sent","version":2,` +
      `"timestamp":"${timestamp}","since":"${timestamp}","createdAt":"${before.createdAt}",` +
      `"actor":"bob","reason":"due","op":"o2","n":1,"sentAt":"${timestamp}"}`,
  );
});

it("accepts exactly the transitions of the table, from every state to every state", async () => {
  const calls = await machine(parcel);
  const states = Object.keys(parcel.states);
  const table: Record<string, { to?: string[]; require?: string[] }> = parcel.states;
  for (const from of states) {
    for (const to of states) {
      const id = `${from}-${to}`;
      await calls.ok("create", id, "SET", "error", "1", "SET", "signature", "1");
      await calls.ok("transition", id, "sent"); // lost requires its stamp
      if (from !== "sent") await calls.ok("transition", id, from, "FORCE", "REASON", "to start there");
      const [outcome, document] = await calls.run("transition", id, to);
      const legal = table[from]?.to?.includes(to) ?? false;
      expect({ from, to, outcome }).toEqual({ from, to, outcome: legal ? "OK" : "ILLEGAL" });
      expect(JSON.parse(String(document)).state).toBe(legal ? to : from);
    }
  }
});

it("rejects an unknown state like any illegal one", async () => {
  const { calls, before } = await created();
  const [outcome, document] = await calls.run("transition", "p1", "elsewhere");
  expect(outcome).toBe("ILLEGAL");
  expect(document).toBe(
    `{"machine":"parcel","id":"p1","state":"packed","version":1,"timestamp":"${before.timestamp}",` +
      `"since":"${before.since}","createdAt":"${before.createdAt}"}`,
  );
  expect((await calls.run("transition", "p1", "elsewhere", "FORCE", "REASON", "lost"))[0]).toBe("ILLEGAL");
});

it("enters its own state anew if the machine permits it", async () => {
  const { calls } = await created();
  const first = await calls.ok("transition", "p1", "sent");
  await calls.valkey.hset(calls.key("id:p1"), "times:ms", "1000 1000 0");
  const again = await calls.ok("transition", "p1", "sent");
  expect(again).toMatchObject({ from: "sent", state: "sent", version: 3, sentAt: first.sentAt });
  expect(again.since).toBe(again.timestamp);
});

it("sets a stamp on the first entry and keeps it ever after", async () => {
  const { calls } = await created();
  await calls.ok("transition", "p1", "sent");
  await calls.valkey.hset(calls.key("id:p1"), "sentAt", '"2001-01-01T00:00:00.000Z"');
  await calls.ok("transition", "p1", "packed");
  const again = await calls.ok("transition", "p1", "sent");
  expect(again.sentAt).toBe("2001-01-01T00:00:00.000Z");
});

it("sets and removes own fields along with the move", async () => {
  const { calls } = await created("SET", "a", "1", "SET", "b", "2");
  const [, document] = await calls.run(
    "transition",
    "p1",
    "sent",
    "UNSET",
    "a",
    "SET",
    "c",
    "3",
    "SET",
    "b",
    "4",
  );
  expect(document).toMatch(/,"b":4,"c":3,"sentAt":"[^"]*"}$/);
  const hash = await calls.hash("p1");
  expect(hash).toMatchObject({ b: "4", c: "3" });
  expect(hash).not.toHaveProperty("a");
});

it("rejects if a field that the state requires is absent, whether never set or removed by this call", async () => {
  const { calls } = await created("SET", "n", "1");
  const missing = await calls.run("transition", "p1", "lost", "SET", "error", '"fell off"');
  expect(missing[0]).toBe("MISSING");
  expect(JSON.parse(String(missing[1]))).toMatchObject({ state: "packed", version: 1, n: 1 });
  await calls.ok("transition", "p1", "sent", "SET", "signature", '"x"');
  expect((await calls.run("transition", "p1", "delivered", "UNSET", "signature"))[0]).toBe("MISSING");
  const lost = await calls.ok("transition", "p1", "lost", "SET", "error", '"fell off"');
  expect(lost).toMatchObject({ state: "lost", version: 3, error: "fell off" });
});

it("accepts a required field that was set before", async () => {
  const { calls } = await created("SET", "signature", '"x"');
  await calls.ok("transition", "p1", "sent");
  expect((await calls.ok("transition", "p1", "delivered")).signature).toBe("x");
});

it("ignores the transitions with FORCE and a reason, and marks the change", async () => {
  const { calls } = await created("SET", "signature", '"x"');
  const [outcome, document] = await calls.run(
    "transition",
    "p1",
    "delivered",
    "FORCE",
    "REASON",
    "seen there",
    ...op("o1"),
  );
  expect(outcome).toBe("OK");
  expect(document).toContain(
    ',"reason":"seen there","op":"o1","forced":true,"signature":"x","deliveredAt":"',
  );
  expect((await calls.run("transition", "p1", "packed"))[0]).toBe("ILLEGAL");
});

it("marks a forced change even if the machine permits it", async () => {
  const { calls } = await created();
  expect(await calls.ok("transition", "p1", "sent", "FORCE", "REASON", "sure")).toMatchObject({
    forced: true,
  });
});

it("still checks fields and conditions under FORCE", async () => {
  const { calls } = await created();
  const force = ["FORCE", "REASON", "sure"];
  expect((await calls.run("transition", "p1", "delivered", ...force))[0]).toBe("MISSING");
  expect((await calls.run("transition", "p1", "sent", ...force, "IFVERSION", "9"))[0]).toBe("CONFLICT");
  expect((await calls.run("transition", "p1", "sent", ...force, "NOTAFTER", "1"))[0]).toBe("EXPIRED");
});

it("removes a stamp with FORCE, and sets that of the entered state anew", async () => {
  const { calls } = await created("SET", "signature", '"x"');
  const old = '"2001-01-01T00:00:00.000Z"';
  await calls.ok("transition", "p1", "sent");
  await calls.ok("transition", "p1", "delivered");
  await calls.valkey.hset(calls.key("id:p1"), { sentAt: old, deliveredAt: old });
  const force = ["FORCE", "REASON", "entered by mistake"];
  const packed = await calls.ok("transition", "p1", "packed", ...force, "UNSET", "deliveredAt");
  expect(packed).toMatchObject({ sentAt: JSON.parse(old) });
  expect(packed).not.toHaveProperty("deliveredAt");
  expect(await calls.hash("p1")).not.toHaveProperty("deliveredAt");
  const sent = await calls.ok("transition", "p1", "sent", ...force, "UNSET", "sentAt");
  expect(sent.sentAt).toBe(sent.timestamp);
  expect((await calls.hash("p1")).sentAt).toBe(JSON.stringify(sent.timestamp));
  expect((await calls.changes("p1")).at(-1)).toMatchObject({
    set: { sentAt: sent.timestamp },
    unset: ["sentAt"],
    forced: true,
  });
});

it("rejects SET of a stamp under FORCE, and UNSET of one that the entered state requires", async () => {
  const { calls } = await created("SET", "error", "1");
  await calls.ok("transition", "p1", "sent");
  const force = ["FORCE", "REASON", "entered by mistake"];
  const setStamp = ["p1", "packed", ...force, "SET", "sentAt", '"now"'];
  expect(await calls.error("transition", calls.keys("p1"), setStamp)).toBe("BADARG field");
  expect((await calls.run("transition", "p1", "lost", ...force, "UNSET", "sentAt"))[0]).toBe("MISSING");
});

it("rejects FORCE without a reason", async () => {
  const { calls } = await created();
  expect(await calls.error("transition", calls.keys("p1"), ["p1", "sent", "FORCE"])).toBe("BADARG REASON");
});

it("returns NOTFOUND for an absent entity", async () => {
  const calls = await machine(parcel);
  expect(await calls.run("transition", "p1", "sent")).toEqual(["NOTFOUND", null, null]);
});

it("returns an error if the machine was never applied, or the hash is unknown", async () => {
  const { calls } = await created();
  const bare = new Calls(await admin(), "parcel");
  expect(await bare.error("transition", bare.keys("p1"), ["p1", "sent"])).toBe("NOMACHINE apply it first");
  await calls.valkey.hdel(calls.key("id:p1"), "times:ms");
  expect(await calls.error("transition", calls.keys("p1"), ["p1", "sent"])).toMatch(/^LAYOUT /);
});

it("returns an error if the compiled machine is of another layout", async () => {
  const { calls } = await created();
  await calls.valkey.hset(calls.key("machine"), "packed>sent", "2 and something else");
  expect(await calls.error("transition", calls.keys("p1"), ["p1", "sent"])).toMatch(/^LAYOUT /);
});
