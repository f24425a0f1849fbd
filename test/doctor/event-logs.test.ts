import { expect, test } from "vitest";
import { connect, defineMachine } from "../../src/index.js";
import { ownServer, result, results } from "../helpers/doctor.js";

const machineOf = (name: string) =>
  defineMachine({ name, version: 1, initial: "a", states: { a: {} }, events: { keep: 1000 } });

test("event logs are a warning if they grow to more than a quarter of the memory", async () => {
  const { server, admin } = await ownServer();
  const latchkey = await connect({ url: server.url, namespace: "logs" });
  const visit = { url: server.url, namespace: "logs" };
  const small = await latchkey.machine(machineOf("small"));
  const large = await latchkey.machine(machineOf("large"));
  expect((await results(visit)).map(({ id }) => id)).not.toContain("event-logs");
  await small.create("x1");
  await large.create("x1", { text: "x".repeat(60_000) });
  await latchkey.close();
  // 1000 documents of 60 kB, and a fifth more, are 69 MiB.
  const outcomeOf = async (maxmemory: string) => {
    await admin.config("SET", "maxmemory", maxmemory);
    return result("event-logs", visit);
  };
  expect(await outcomeOf("200mb")).toMatchObject({
    level: "warn",
    status: expect.stringMatching(/^large 68\.\d MiB, small 0\.\d MiB when full, 3\d % of maxmemory$/),
    fix: "reduce events.keep in the machine, or the size of the entities, or add memory",
  });
  expect(await outcomeOf("400mb")).toMatchObject({ level: "ok" });
  expect((await outcomeOf("0")).status).toMatch(/ % of the computer's memory$/);
});

test("event logs are not judged for a machine whose definition cannot be read", async () => {
  const { server, admin } = await ownServer();
  const latchkey = await connect({ url: server.url });
  await (await latchkey.machine(machineOf("broken"))).create("x1", { text: "x".repeat(60_000) });
  await latchkey.close();
  await admin.hset("{latchkey:0}:broken:machine", "definition", "no JSON");
  const all = await results({ url: server.url, namespace: "latchkey" });
  expect(all.filter(({ id }) => id === "event-logs")).toEqual([]);
});
