import { expect, it, onTestFinished } from "vitest";
import { agent, ContractError, type Entities, type Latchkey, NotExecutedError } from "../../src/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { stats } from "../../src/reads/stats.js";
import type { ReadOptions } from "../../src/valkey/ask.js";
import { openConnection } from "../../src/valkey/open-connection.js";
import { all, client, rejection, rejectionOf } from "../helpers/client.js";
import { startProxy } from "../helpers/proxy.js";
import { useValkey } from "../helpers/valkey.js";

type Read = (home: Latchkey, ours: Entities<AgentState>, options: ReadOptions) => Promise<unknown>;

/** Every read that rejects when its signal is aborted. */
const reads: Record<string, Read> = {
  get: (_, ours, options) => ours.get("a1", options),
  position: (_, ours, options) => ours.position("a1", options),
  history: (_, ours, options) => ours.history("a1", options),
  count: (_, ours, options) => ours.count(options),
  listPage: (_, ours, options) => ours.listPage(options),
  reactions: (_, ours, options) => ours.reactions(options),
  deadLetters: async (_, ours, options) => ours.deadLetters("r", options).retry(["0:1-1"]),
  stats: async (home, ours, options) => {
    const connection = await openConnection({ url: home.address });
    onTestFinished(() => connection.close());
    const location = { namespace: home.namespace, machine: "agent", partitions: 1 };
    return stats({ connection, location, definition: ours.definition }, options);
  },
  machines: (home, _, options) => home.machines(options),
  definition: (home, _, options) => home.definition("agent", options),
  installed: (home, _, options) => home.installed("agent", options),
  serverTime: (home, _, options) => home.serverTime(options),
  ping: (home, _, options) => home.ping(options),
};

/** Iterations, which end when their signal is aborted. */
const iterations: Record<string, Read> = {
  list: (_, ours, options) => all(ours.list(options)),
  "iterating over deadLetters": async (_, ours, options) => all(ours.deadLetters("r", options)),
};

const every = Object.entries({ ...reads, ...iterations });

/** A client whose server receives nothing. */
async function stalled() {
  const proxy = await startProxy(await useValkey());
  const home = await client({ url: proxy.url, timeout: "10m", silenceTimeoutMs: 600_000 });
  const ours = await home.machine(agent());
  proxy.shut(true);
  proxy.cut();
  await expect.poll(() => proxy.refused).toBeGreaterThan(0);
  return { home, ours };
}

it.each(every)("%s rejects unknown options and invalid limits", async (_, read) => {
  const home = await client();
  const ours = await home.machine(agent());
  const error = await rejectionOf(ContractError, read(home, ours, { timout: "1s" } as ReadOptions));
  expect(error).toMatchObject({
    code: "BADARG",
    message: 'unknown option "timout"; did you mean "timeout"?',
  });
  const invalid = [{ timeout: "soon" }, { signal: "stop" }, { signal: null }] as unknown as ReadOptions[];
  for (const options of invalid)
    expect((await rejectionOf(ContractError, read(home, ours, options))).code).toBe("BADARG");
  await read(home, ours, { timeout: "1m", signal: new AbortController().signal });
});

it.each(every)("%s ends at its timeout", async (name, read) => {
  if (name === "stats") return; // its own connection is not the stalled one
  const { home, ours } = await stalled();
  const error = await rejectionOf(NotExecutedError, read(home, ours, { timeout: 50 }));
  expect(error.message).toContain(`not connected to ${home.address}`);
});

it.each(Object.entries(reads))("%s rejects with the reason of its signal", async (name, read) => {
  const home = await client();
  const ours = await home.machine(agent());
  const aborted = AbortSignal.abort(new Error("before"));
  expect((await rejection(read(home, ours, { signal: aborted }))).message).toBe("before");
  if (name === "stats") return;
  const far = await stalled();
  const stop = new AbortController();
  const reading = rejection(read(far.home, far.ours, { signal: stop.signal }));
  stop.abort(new Error("enough"));
  expect((await reading).message).toBe("enough");
});

it.each(Object.entries(iterations))("%s ends when its signal is aborted", async (_, read) => {
  const { home, ours } = await stalled();
  expect(await read(home, ours, { signal: AbortSignal.abort() })).toEqual([]);
  const stop = new AbortController();
  const reading = read(home, ours, { signal: stop.signal });
  stop.abort();
  expect(await reading).toEqual([]);
});

it("a list ends between two entities", async () => {
  const ours = await (await client()).machine(agent());
  for (const id of ["a1", "a2", "a3"]) await ours.create(id);
  const stop = new AbortController();
  const found: string[] = [];
  for await (const { id } of ours.list({ signal: stop.signal })) {
    found.push(id);
    stop.abort();
  }
  expect(found).toHaveLength(1);
});

it("history takes its limit as an option or as a number", async () => {
  const ours = await (await client()).machine(agent());
  await ours.create("a1");
  await ours.patch("a1", { set: { n: 1 } });
  expect(await ours.history("a1", { limit: 1 })).toEqual(await ours.history("a1", 1));
  expect(await ours.history("a1", { limit: 1 })).toMatchObject([{ version: 2 }]);
});
