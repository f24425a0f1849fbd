import { expect, it, onTestFinished } from "vitest";
import { all, client } from "../helpers/client.js";
import { DoctorContext, hands, patient, ticket } from "../helpers/fsck.js";

it("takes nothing of reactions for damage: neither what runs, nor what was given up or lost", async () => {
  const who = await patient();
  const reaction = await who.tickets.react(
    "r",
    ({ version }) => {
      if (version === 1) throw new Error("no");
    },
    { from: "start", deadLetterAfter: 1, retries: { first: "1h", longest: "1h" } },
  );
  onTestFinished(() => reaction.close());
  const waiting = await who.tickets.react(
    "waiting",
    () => {
      throw new Error("no");
    },
    { from: "start", retries: { first: "1h", longest: "1h" } },
  );
  onTestFinished(() => waiting.close());
  const letters = who.tickets.deadLetters("r");
  await expect.poll(async () => (await all(letters)).length).toBe(5);
  await expect.poll(async () => (await who.tickets.reactions())[1]?.pending).toBeGreaterThan(0);
  await letters.retry((await all(letters)).slice(0, 1).map(({ id }) => id));
  expect(await (await hands()).keys(`*${who.latchkey.namespace}*reaction*`)).not.toEqual([]);
  expect(await who.found({ deep: true, strict: true })).toEqual([]);
});

it("takes a log that a reaction waits for, and nothing was ever written to, for whole", async () => {
  const latchkey = await client();
  const who = new DoctorContext(latchkey, await latchkey.machine(ticket), 1);
  const reaction = await who.tickets.react("r", () => {});
  expect(await who.found({ deep: true, strict: true })).toEqual([]);
  await reaction.close();
});

it("finds nothing wrong where a reaction was forgotten, also one in whose log nothing was ever written", async () => {
  const who = await patient();
  await (await who.tickets.react("r", () => {})).close();
  const fresh = await client();
  const empty = new DoctorContext(fresh, await fresh.machine(ticket), 1);
  await (await empty.tickets.react("r", () => {})).close();
  for (const { tickets } of [who, empty])
    expect(await tickets.forgetReaction("r")).toMatchObject({ name: "r" });
  for (const one of [who, empty]) expect(await one.found({ deep: true, strict: true })).toEqual([]);
});
