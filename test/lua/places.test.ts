import { expect, it } from "vitest";
import { type Calls, type Document, machine } from "../helpers/calls.js";
import { DAY, HOUR, ORDINALS, parcel } from "../helpers/parcel.js";

const location = (state: keyof typeof ORDINALS, document: Document) =>
  String(ORDINALS[state] * 1e13 + Date.parse(String(document.since)));
const due = (document: Document, after: number) => String(Date.parse(document.timestamp) + after);

async function force(calls: Calls, id: string, state: string, ...args: string[]): Promise<Document> {
  return calls.ok("transition", id, state, "FORCE", "REASON", "to see it there", ...args);
}

it("indexes an entity by state and by the time of entering it", async () => {
  const calls = await machine(parcel);
  const created = await calls.ok("create", "p1", "SET", "error", "1", "SET", "signature", "1");
  expect(await calls.score("index", "p1")).toBe(location("packed", created));
  for (const state of ["sent", "held", "lost", "delivered", "packed"] as const) {
    const moved = await force(calls, "p1", state);
    expect(await calls.score("index", "p1")).toBe(location(state, moved));
  }
  expect(await calls.valkey.zcard(calls.key("index"))).toBe(1);
});

it("writes a timer on entering a state that has one: the earlier of timeout and lease, or the retention", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", "SET", "signature", "1");
  expect(await calls.score("due", "p1")).toBeNull();
  const sent = await calls.ok("transition", "p1", "sent");
  expect(await calls.score("due", "p1")).toBe(due(sent, HOUR));
  const held = await force(calls, "p1", "held");
  expect(await calls.score("due", "p1")).toBe(due(held, 60_000));
  const delivered = await force(calls, "p1", "delivered");
  expect(await calls.score("due", "p1")).toBe(due(delivered, DAY));
});

it("writes a timer on creation where the initial state has one", async () => {
  const calls = await machine({
    name: "offer",
    version: 1,
    initial: "open",
    states: { open: { to: ["shut"], timeout: { after: 1, to: "shut" } }, shut: {} },
  });
  expect(await calls.score("due", "o1")).toBeNull();
  const open = await calls.ok("create", "o1");
  expect(await calls.score("due", "o1")).toBe(due(open, 1));
});

it("takes the timer away on leaving for a state without one, and no other entity's", async () => {
  const calls = await machine(parcel);
  for (const id of ["p1", "p2"]) {
    await calls.ok("create", id);
    await calls.ok("transition", id, "sent");
  }
  await calls.ok("transition", "p1", "packed");
  expect(await calls.valkey.zrange(calls.key("due"), 0, -1)).toEqual(["p2"]);
});

it("takes away a timer that an earlier life of the id left behind", async () => {
  const calls = await machine(parcel);
  await calls.valkey.zadd(calls.key("due"), 1, "p1", 2, "p2");
  await calls.ok("create", "p1");
  expect(await calls.valkey.zrange(calls.key("due"), 0, -1)).toEqual(["p2"]);
});

it("starts a timer anew when its own state is entered again", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  await calls.ok("transition", "p1", "sent");
  await calls.valkey.zadd(calls.key("due"), 1, "p1");
  const again = await calls.ok("transition", "p1", "sent");
  expect(await calls.score("due", "p1")).toBe(due(again, HOUR));
});

it("keeps the positions of the newest changes in the log, as in the stream", async () => {
  const calls = await machine(parcel);
  const positions = [(await calls.run("create", "p1"))[2]];
  for (let n = 0; n < 40; n++) positions.push((await calls.run("patch", "p1", "SET", "n", n))[2]);
  const logged = (await calls.changes("p1")).map(({ position }) => position);
  expect(logged).toEqual(positions.slice(-33));
  const entries = await calls.valkey.xrange(calls.key("events"), "-", "+");
  expect(entries.map(([id]) => id)).toEqual(positions);
});

it("trims the machine's stream, in whole blocks of the server's, to what the machine keeps", async () => {
  const calls = await machine({ ...parcel, events: { keep: 50 } });
  await calls.ok("create", "p1");
  for (let n = 2; n <= 400; n++) await calls.ok("patch", "p1", "SET", "n", String(n));
  const [, block] = (await calls.valkey.config("GET", "stream-node-max-entries")) as string[];
  const events = await calls.events();
  expect(events.length).toBeGreaterThanOrEqual(50);
  expect(events.length).toBeLessThanOrEqual(50 + Number(block));
  const versions = events.map((document) => JSON.parse(document).version);
  expect(versions).toEqual(versions.map((_, at) => 400 - versions.length + 1 + at));
});
