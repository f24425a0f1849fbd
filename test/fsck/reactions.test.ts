import { expect, it, onTestFinished } from "vitest";
import { admin } from "../helpers/calls.js";
import { all, client } from "../helpers/client.js";
import { TicketFixture, ticket, ticketFixture } from "../helpers/fsck.js";

it("reports no damage for reactions with pending events, retries and dead letters", async () => {
  const fixture = await ticketFixture();
  const reaction = await fixture.tickets.react(
    "r",
    ({ version }) => {
      if (version === 1) throw new Error("no");
    },
    { from: "start", deadLetterAfter: 1, retries: { first: "1h", longest: "1h" } },
  );
  onTestFinished(() => reaction.close());
  const waiting = await fixture.tickets.react(
    "waiting",
    () => {
      throw new Error("no");
    },
    { from: "start", retries: { first: "1h", longest: "1h" } },
  );
  onTestFinished(() => waiting.close());
  const letters = fixture.tickets.deadLetters("r");
  await expect.poll(async () => (await all(letters)).length).toBe(5);
  await expect.poll(async () => (await fixture.tickets.reactions())[1]?.pending).toBeGreaterThan(0);
  await letters.retry((await all(letters)).slice(0, 1).map(({ id }) => id));
  expect(await (await admin()).keys(`*${fixture.latchkey.namespace}*reaction*`)).not.toEqual([]);
  expect(await fixture.results({ deep: true, strict: true })).toEqual([]);
});

it("accepts the empty event log of a reaction that has received no event", async () => {
  const latchkey = await client();
  const fixture = new TicketFixture(latchkey, await latchkey.machine(ticket), 1);
  const reaction = await fixture.tickets.react("r", () => {});
  expect(await fixture.results({ deep: true, strict: true })).toEqual([]);
  await reaction.close();
});

it("reports no damage after a reaction was forgotten, with and without events", async () => {
  const fixture = await ticketFixture();
  await (await fixture.tickets.react("r", () => {})).close();
  const fresh = await client();
  const empty = new TicketFixture(fresh, await fresh.machine(ticket), 1);
  await (await empty.tickets.react("r", () => {})).close();
  for (const { tickets } of [fixture, empty])
    expect(await tickets.forgetReaction("r")).toMatchObject({ name: "r" });
  for (const one of [fixture, empty]) expect(await one.results({ deep: true, strict: true })).toEqual([]);
});
