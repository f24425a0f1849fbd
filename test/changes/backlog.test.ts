import { setImmediate } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { agent, type Duration, type Entities, NotExecutedError } from "../../src/index.js";
import { scripts } from "../../src/lua/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { startValkey } from "../../src/testing/index.js";
import { admin, connection } from "../helpers/calls.js";
import { client } from "../helpers/client.js";
import { startProxy } from "../helpers/proxy.js";
import { startSlowProxy } from "../helpers/slow-proxy.js";
import { useValkey } from "../helpers/valkey.js";

interface Burst {
  readonly entities: Entities<AgentState>;
  /** Returns the number of script calls that the server has executed. */
  executed(): Promise<number>;
}

/** Agents on a server of their own that executes this many requests per second. */
async function slowServer(rate: number, timeout: Duration): Promise<Burst> {
  const server = await startValkey();
  onTestFinished(() => server.stop());
  const url = await startSlowProxy(server, rate);
  const entities = await (await client({ url, timeout })).machine(agent());
  await entities.create("warm");
  const own = await connection(undefined, server);
  await own.config("RESETSTAT");
  const executed = async (): Promise<number> =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(await own.info("commandstats"))?.[1]);
  return { entities, executed };
}

/** Creates agents as fast as this process can. Returns the errors. */
async function createMany(entities: Entities<AgentState>, number: number): Promise<unknown[]> {
  const calls: Promise<unknown>[] = [];
  for (let at = 0; at < number; at += 1) {
    const call = entities.create(`a${at}`);
    call.catch(() => {}); // looked at below
    calls.push(call);
    if (at % 100 === 0) await setImmediate(); // replies are read in between
  }
  const results = await Promise.allSettled(calls);
  return results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
}

it("makes a backlog of 3,500 changes with one attempt each, also if it takes longer than an attempt may", async () => {
  const { entities, executed } = await slowServer(1000, "2m");
  expect(await createMany(entities, 3_500)).toEqual([]);
  expect(await executed()).toBeLessThan(3_500 * 1.1);
});

it("rejects the changes of a backlog that have no time left before they are sent, and makes all others", async () => {
  // A tenth of the time is left to find out what became of the last attempts, also if this process stands still.
  const { entities, executed } = await slowServer(400, "20s");
  const errors = await createMany(entities, 10_000);
  for (const error of errors) expect(error).toBeInstanceOf(NotExecutedError);
  // An attempt that expired on its way is a waste of the server's time.
  const made = 10_000 - errors.length;
  expect(made).toBeGreaterThanOrEqual(0.9 * (await executed()));
  expect(errors.at(-1)).toMatchObject({
    code: "NOTEXECUTED",
    message: expect.stringMatching(
      /^create agent a\d+ was not executed: earlier calls of this process took all of its time$/,
    ),
  });
  expect(await entities.count()).toMatchObject({ spawning: made + 1 });
});

it("sends at most maxInFlight changes at once", async () => {
  const proxy = await startProxy(await useValkey());
  const straight = await client();
  const near = await straight.machine(agent());
  const { namespace } = straight;
  const far = await (await client({ url: proxy.url, namespace, maxInFlight: 1 })).machine(agent());
  await (await admin()).script("LOAD", scripts.create.text); // so that the held reply is not NOSCRIPT
  proxy.holdReply("evalsha");
  const calls = Array.from({ length: 20 }, (_, at) => far.create(`a${at}`));
  await proxy.lost;
  expect(await near.count()).toMatchObject({ spawning: 1 });
  proxy.cut();
  await Promise.all(calls);
  expect(await near.count()).toMatchObject({ spawning: 20 });
});
