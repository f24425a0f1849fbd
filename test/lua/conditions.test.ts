import { describe, expect, it } from "vitest";
import { machine } from "../helpers/calls.js";
import { parcel } from "../helpers/parcel.js";

const operations = [
  ["transition", ["sent"]],
  ["patch", ["SET", "n", "1"]],
  ["remove", []],
] as const;

async function atVersion3() {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  await calls.ok("patch", "p1", "SET", "n", "0");
  await calls.ok("patch", "p1", "SET", "n", "0");
  return calls;
}

describe.each(operations)("%s", (operation, args) => {
  it.each([
    ["IFVERSION", "2"],
    ["IFVERSION", "4"],
    ["IFVERSION", "0"],
    ["IFVERSION", "999999999999999"],
    ["IFSTATE", "sent"],
    ["IFSTATE", "packe"],
    ["IFSTATE", "packed", "IFVERSION", "2"],
    ["IFSTATE", "sent", "IFVERSION", "3"],
  ])("rejects at another version or in another state: %s %s %s %s", async (...condition) => {
    const calls = await atVersion3();
    const [outcome, document] = await calls.run(operation, "p1", ...args, ...condition);
    expect(outcome).toBe("CONFLICT");
    expect(JSON.parse(String(document))).toMatchObject({ id: "p1", state: "packed", version: 3 });
  });

  it.each([
    ["IFVERSION", "3"],
    ["IFVERSION", "000000000000003"],
    ["IFSTATE", "packed"],
    ["IFVERSION", "3", "IFSTATE", "packed"],
  ])("goes on where the condition holds: %s %s %s %s", async (...condition) => {
    const calls = await atVersion3();
    expect(await calls.ok(operation, "p1", ...args, ...condition)).toMatchObject({ version: 4 });
  });

  it("rejects after NOTAFTER, with the entity if it exists", async () => {
    const calls = await atVersion3();
    const [outcome, document] = await calls.run(operation, "p1", ...args, "NOTAFTER", "1", "IFVERSION", "9");
    expect(outcome).toBe("EXPIRED");
    expect(JSON.parse(String(document))).toMatchObject({ state: "packed", version: 3 });
    expect(await calls.run(operation, "p2", ...args, "NOTAFTER", "1")).toEqual(["EXPIRED", null, null]);
  });

  it("goes on until NOTAFTER", async () => {
    const calls = await atVersion3();
    expect(await calls.ok(operation, "p1", ...args, "NOTAFTER", "999999999999999")).toMatchObject({
      version: 4,
    });
  });

  it("finds no entity before it looks at a condition", async () => {
    const calls = await atVersion3();
    expect(await calls.run(operation, "p2", ...args, "IFVERSION", "1")).toEqual(["NOTFOUND", null, null]);
  });
});

it("looks at conditions before it looks at the table and at required fields", async () => {
  const calls = await atVersion3();
  expect((await calls.run("transition", "p1", "delivered", "IFSTATE", "sent"))[0]).toBe("CONFLICT");
  expect((await calls.run("transition", "p1", "delivered", "IFSTATE", "packed"))[0]).toBe("ILLEGAL");
  expect((await calls.run("transition", "p1", "lost", "IFVERSION", "2"))[0]).toBe("CONFLICT");
  expect((await calls.run("transition", "p1", "lost", "IFVERSION", "3"))[0]).toBe("MISSING");
});

it("lets one of many callers with the same expectation win", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  const replies = await Promise.all(
    Array.from({ length: 20 }, (_, racer) =>
      calls.run("patch", "p1", "SET", "winner", String(racer), "IFVERSION", "1"),
    ),
  );
  const won = replies
    .filter(([outcome]) => outcome === "OK")
    .map(([, document]) => JSON.parse(String(document)));
  const lost = replies
    .filter(([outcome]) => outcome === "CONFLICT")
    .map(([, document]) => JSON.parse(String(document)));
  expect([won.length, lost.length]).toEqual([1, 19]);
  for (const current of lost) expect(current).toMatchObject({ version: 2, winner: won[0].winner });
});

it("rejects creation after NOTAFTER, whether the id exists or not", async () => {
  const calls = await atVersion3();
  expect(await calls.run("create", "p2", "NOTAFTER", "1")).toEqual(["EXPIRED", null, null]);
  const [outcome, document] = await calls.run("create", "p1", "NOTAFTER", "1");
  expect(outcome).toBe("EXPIRED");
  expect(JSON.parse(String(document))).toMatchObject({ version: 3 });
  expect((await calls.ok("create", "p2", "NOTAFTER", "999999999999999")).version).toBe(1);
});
