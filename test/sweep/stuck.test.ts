import { expect, it, onTestFinished } from "vitest";
import type { Entities, Latchkey, MachineDefinition, SweepOptions, SweepReport } from "../../src/index.js";
import { runOut } from "../helpers/age.js";
import { admin } from "../helpers/calls.js";
import { client } from "../helpers/client.js";

const task = {
  name: "task",
  version: 1,
  initial: "tried",
  states: {
    tried: { to: ["judged", "judge"], timeout: { after: "1h", to: "judged" } },
    judged: { require: ["judgedAt"] },
    judge: { stamp: "judgedAt" },
  },
} satisfies MachineDefinition;

const BATCH = 5;
const STUCK = 30;

interface Sweeping {
  readonly stop: () => Promise<SweepReport>;
  readonly stuck: string[];
  readonly fired: string[];
}

/** Starts a sweep in small batches. It ends with the test at the latest. */
function start(home: Latchkey, options: SweepOptions = {}): Sweeping {
  const end = new AbortController();
  onTestFinished(() => end.abort());
  const [stuck, fired]: [string[], string[]] = [[], []];
  const report = home.sweep({
    ...{ signal: end.signal, interval: 1, batch: BATCH },
    onStuck: ({ id }) => void stuck.push(id),
    onChange: ({ id }) => void fired.push(id),
    ...options,
  });
  const stop = (): Promise<SweepReport> => {
    end.abort();
    return report;
  };
  return { stop, stuck, fired };
}

/** Creates entities with an expired timer that cannot fire, and starts a sweep that has reported them all. */
async function stuckTasks(): Promise<{ home: Latchkey; entities: Entities; sweeping: Sweeping }> {
  const home = await client();
  const entities: Entities = await home.machine(task as MachineDefinition);
  for (let n = 0; n < STUCK; n++) {
    await entities.create(`s${n}`);
    await runOut(home, entities, `s${n}`);
  }
  const sweeping = start(home);
  await expect.poll(() => sweeping.stuck).toHaveLength(STUCK);
  return { home, entities, sweeping };
}

/** Counts the calls of each command that the server has run. */
async function calls(...commands: string[]): Promise<number[]> {
  const stats = await (await admin()).info("commandstats");
  return commands.map((name) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0));
}

it("tries at most one batch of stuck timers again in a round", async () => {
  const { sweeping } = await stuckTasks();
  const [asked = 0, counted = 0] = await calls("evalsha", "zcount");
  let [askedNow = 0, countedNow = 0] = [asked, counted];
  await expect
    .poll(async () => {
      [askedNow = 0, countedNow = 0] = await calls("evalsha", "zcount");
      return countedNow - counted;
    })
    .toBeGreaterThan(100);
  expect(askedNow).toBeGreaterThan(asked);
  // A round runs ZCOUNT for two keys at least once.
  expect(askedNow - asked).toBeLessThanOrEqual(BATCH * ((countedNow - counted) / 2 + 1));
  expect(await sweeping.stop()).toEqual({ expired: 0, removed: 0, given: 0, stuck: STUCK });
});

it("fires timers that are due after stuck ones, each once", async () => {
  const { home, entities, sweeping } = await stuckTasks();
  const other = await home.machine({
    ...{ name: "other", version: 1, initial: "waiting" },
    states: { waiting: { to: ["late"], timeout: { after: "1ms", to: "late" } }, late: {} },
  } as MachineDefinition);
  for (let n = 0; n < 20; n++) await other.create(`o${n}`);
  await expect.poll(() => sweeping.fired.length).toBe(20);
  expect(await sweeping.stop()).toMatchObject({ expired: 20, stuck: STUCK });
  expect(new Set(sweeping.fired).size).toBe(20);
  expect(await entities.get("s0")).toMatchObject({ state: "tried" });
});

it("fires a stuck timer after its entity was repaired", async () => {
  const { home, sweeping } = await stuckTasks();
  const valkey = await admin();
  const entity = `{${home.namespace}:0}:task:id:s17`;
  await valkey.hset(entity, "judgedAt", '"2026-01-01T00:00:00.000Z"');
  await expect.poll(() => sweeping.fired).toEqual(["s17"]);
  expect(await sweeping.stop()).toMatchObject({ expired: 1, stuck: STUCK - 1 });
});

it("fires all stuck timers when a newer machine requires nothing more", async () => {
  const { home, sweeping } = await stuckTasks();
  await home.apply({ ...task, version: 2, states: { ...task.states, judged: {} } } as MachineDefinition);
  await expect.poll(() => sweeping.fired.length).toBe(STUCK);
  expect(await sweeping.stop()).toMatchObject({ expired: STUCK, stuck: 0 });
});
