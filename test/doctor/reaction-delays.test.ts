import { expect, test } from "vitest";
import { connect, defineMachine } from "../../src/index.js";
import { results } from "../helpers/doctor.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

const job = defineMachine({
  name: "job",
  version: 1,
  initial: "open",
  states: { open: {} },
  events: { keep: 200 },
});

test("a reaction is a warning if its delay is longer than the event log keeps events", async () => {
  const { url } = await useValkey();
  const visit = { url, namespace: freshNamespace() };
  const delays = async () => (await results(visit)).filter(({ id }) => id === "reaction-delays");
  const latchkey = await connect(visit);
  const jobs = await latchkey.machine(job);
  await jobs.react("at-once", () => {});
  const late = await jobs.react("late", () => {}, { delay: "12h" });
  const create = (from: number, to: number) =>
    Promise.all(Array.from({ length: to - from }, (_, at) => jobs.create(`j${from + at}`)));
  await create(0, 99);
  expect(await delays()).toEqual([]);
  await create(99, 100);
  expect(await delays()).toEqual([
    {
      id: "reaction-delays",
      level: "warn",
      status: expect.stringMatching(/^job late: delay 12h, events are kept for \d+[sm]$/),
      meaning: expect.stringContaining("trimmed from the log before the reaction handles them"),
      fix: expect.stringContaining("increase events.keep"),
    },
  ]);
  await late.close();
  await latchkey.close();
});
