import { expect, it } from "vitest";
import { admin, type Calls, machine } from "../helpers/calls.js";
import { keyspace } from "../helpers/keyspace.js";
import { parcel } from "../helpers/parcel.js";

/** The question of lua/README.md: what became of an op. */
const ask = async (calls: Calls, op: string, sent: number) => {
  const before = await keyspace(await admin(), calls.namespace);
  const guard = ["IFVERSION", "999999999999999"];
  const [outcome] = await calls.run("patch", "p1", "UNSET", "none", "OP", op, "SENT", sent, ...guard);
  expect(await keyspace(await admin(), calls.namespace)).toEqual(before);
  return outcome;
};

const serverMs = async () => Number((await (await admin()).time())[0]) * 1000;

it("proves nothing about the first attempt if a retry is EXPIRED, but the question by its idempotency key does", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  const sent = await serverMs();
  await calls.ok("transition", "p1", "sent", "OP", "made");
  for (const [op, answer] of [
    ["made", "REPLAYED"],
    ["lost", "CONFLICT"],
  ] as const) {
    const retry = ["p1", "sent", "OP", op, "SENT", sent, "NOTAFTER", sent - 1] as const;
    expect((await calls.run("transition", ...retry))[0]).toBe("EXPIRED");
    expect(await ask(calls, op, sent)).toBe(answer);
  }
});

it("distinguishes keys that the entity forgot from keys that are gone with it, if only the stream knows", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  const sent = await serverMs();
  for (let n = 0; n <= 5; n++) await calls.ok("patch", "p1", "SET", "n", n, "OP", `o${n}`);
  expect(await ask(calls, "o0", sent)).toBe("FORGOTTEN");
  await calls.ok("remove", "p1", "OP", "o6");
  expect(await ask(calls, "o6", sent)).toBe("NOTFOUND");
});
