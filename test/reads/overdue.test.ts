import { expect, it } from "vitest";
import { agent, defineMachine } from "../../src/index.js";
import { client } from "../helpers/client.js";

const job = defineMachine({
  name: "job",
  version: 1,
  initial: "queued",
  states: { queued: { to: ["expired"], timeout: { after: 1, to: "expired" } }, expired: {} },
});

it("overdue counts the timers that passed, of every machine of the client and in all partitions", async () => {
  const latchkey = await client();
  await latchkey.init(4);
  expect(await latchkey.overdue()).toEqual({});
  const jobs = await latchkey.machine(job);
  await latchkey.machine(agent());
  for (let n = 0; n < 9; n += 1) await jobs.create(`j${n}`);
  await expect.poll(() => latchkey.overdue()).toEqual({ job: 9, agent: 0 });
  await latchkey.sweep({ once: true });
  expect(await latchkey.overdue()).toEqual({ job: 0, agent: 0 });
});

it("overdue rejects an unknown option", async () => {
  const latchkey = await client();
  await expect(latchkey.overdue({ timeot: 1 } as object)).rejects.toMatchObject({ code: "BADARG" });
});
