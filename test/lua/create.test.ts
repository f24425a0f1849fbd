import { expect, it } from "vitest";
import { admin, Calls, machine, op } from "../helpers/calls.js";
import { parcel } from "../helpers/parcel.js";

it("brings an entity into the initial state and answers with its document", async () => {
  const calls = await machine(parcel);
  const [outcome, document, position] = await calls.run("create", "p1");
  expect([outcome, position]).toEqual(["OK", await calls.end()]);
  const { timestamp } = JSON.parse(String(document));
  expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(document).toBe(
    `{"type":"parcel.made","machine":"parcel","id":"p1","from":null,"state":"packed","version":1,` +
      `"timestamp":"${timestamp}","since":"${timestamp}","createdAt":"${timestamp}"}`,
  );
});

it("puts actor, reason and op before the caller's fields, in whatever order they are given", async () => {
  const calls = await machine(parcel);
  const options = [
    "SET",
    "b",
    "2",
    "REASON",
    'said "go" \\ é',
    "SET",
    "a",
    '"1"',
    ...op("o1"),
    "ACTOR",
    "bob",
  ];
  const [, document] = await calls.run("create", "p1", ...options);
  const { timestamp } = JSON.parse(String(document));
  expect(document).toBe(
    `{"type":"parcel.made","machine":"parcel","id":"p1","from":null,"state":"packed","version":1,` +
      `"timestamp":"${timestamp}","since":"${timestamp}","createdAt":"${timestamp}",` +
      `"actor":"bob","reason":"said \\"go\\" \\\\ é","op":"o1","b":2,"a":"1"}`,
  );
});

it("keeps five fields and the own ones in the entity's hash", async () => {
  const calls = await machine(parcel);
  const { timestamp } = await calls.ok("create", "p1", "SET", "taskId", '"t1"');
  const ms = Date.parse(timestamp);
  expect(Object.entries(await calls.hash("p1"))).toEqual([
    ["state", "packed"],
    ["version", "1"],
    ["times:ms", `${ms} ${ms} 0`],
    ["created", timestamp],
    ["ops:forgot", "0-0"],
    ["taskId", '"t1"'],
  ]);
});

it("stamps the initial state where it has a stamp", async () => {
  const calls = await machine({
    name: "lamp",
    version: 1,
    initial: "on",
    states: { on: { stamp: "litAt" } },
  });
  const lamp = await calls.ok("create", "l1");
  expect(lamp.litAt).toBe(lamp.timestamp);
});

it("rejects an existing id with the current entity", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", "SET", "n", "1", "ACTOR", "bob", ...op("o1"));
  const sent = await calls.ok("transition", "p1", "sent");
  const [outcome, document] = await calls.run("create", "p1", "SET", "n", "2", ...op("o2"));
  expect(outcome).toBe("EXISTS");
  expect(document).toBe(
    `{"machine":"parcel","id":"p1","state":"sent","version":2,"timestamp":"${sent.timestamp}",` +
      `"since":"${sent.since}","createdAt":"${sent.createdAt}","n":1,"sentAt":"${sent.sentAt}"}`,
  );
});

it("rejects a missing required field of the initial state without a document", async () => {
  const calls = await machine({
    name: "form",
    version: 1,
    initial: "open",
    states: { open: { require: ["who", "why"] } },
  });
  expect(await calls.run("create", "f1", "SET", "who", '"bob"')).toEqual(["MISSING", null, null]);
  expect((await calls.ok("create", "f1", "SET", "who", '"bob"', "SET", "why", "null")).why).toBeNull();
});

it("returns NOMACHINE if the machine was never applied", async () => {
  const calls = new Calls(await admin(), "parcel");
  expect(await calls.error("create", calls.keys("p1"), ["p1"])).toBe("NOMACHINE apply it first");
});

it("returns an error if the entity's hash is unknown", async () => {
  const calls = await machine(parcel);
  await calls.valkey.hset(calls.key("id:p1"), "status", "packed");
  expect(await calls.error("create", calls.keys("p1"), ["p1"])).toMatch(/^LAYOUT /);
});

it("takes an id of any of its characters, 128 long", async () => {
  const calls = await machine(parcel);
  const id = "aZ09_.~:/@+=-".padEnd(128, "x");
  expect((await calls.ok("create", id)).id).toBe(id);
  expect(await calls.error("create", calls.keys(`${id}x`), [`${id}x`])).toBe("BADARG id");
});
