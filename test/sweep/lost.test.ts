import { expect, it, onTestFinished } from "vitest";
import {
  connect,
  type Entities,
  type Latchkey,
  type MachineDefinition,
  NotExecutedError,
} from "../../src/index.js";
import { runOut } from "../helpers/age.js";
import { admin } from "../helpers/calls.js";
import { all, client, rejectionOf } from "../helpers/client.js";
import { startProxy, type TcpProxy } from "../helpers/proxy.js";
import { recordingLogger } from "../helpers/secrets.js";
import { useValkey } from "../helpers/valkey.js";

const task = {
  name: "task",
  version: 1,
  initial: "waiting",
  states: {
    waiting: { to: ["late", "done"], timeout: { after: "1h", to: "late" } },
    late: {},
    done: { retain: "1h" },
  },
} satisfies MachineDefinition;

interface Far {
  readonly home: Latchkey;
  readonly entities: Entities;
  /** Reaches the machine through the proxy. */
  readonly far: Entities;
  readonly farHome: Latchkey;
  readonly proxy: TcpProxy;
  /** The number of timers that the log of the program reports as fired. */
  readonly fired: () => number;
}

/** Counts the calls of a command that the server has run. */
async function calls(command: string): Promise<number> {
  const stats = await (await admin()).info("commandstats");
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

async function tasks(
  options: { timeout?: number; silenceTimeoutMs?: number } = {},
  more: Partial<MachineDefinition> = {},
  partitions = 1,
): Promise<Far> {
  const home = await client();
  await home.init(partitions);
  const entities: Entities = await home.machine({ ...task, ...more } as MachineDefinition);
  const proxy = await startProxy(await useValkey());
  const { lines, logger } = recordingLogger();
  const farHome = await connect({ url: proxy.url, namespace: home.namespace, logger, ...options });
  onTestFinished(() => farHome.close());
  const far = await farHome.installed("task");
  if (far === null) throw new Error("The machine is not there");
  // The server knows the script from here on, so that the next EVALSHA fires a timer.
  await entities.create("warm");
  await runOut(home, entities, "warm");
  await entities.sweep({ once: true });
  await entities.remove("warm");
  lines.length = 0;
  return {
    home,
    entities,
    far,
    farHome,
    proxy,
    fired: () => lines.filter((line) => line.includes("a timer fired")).length,
  };
}

it.each([1, 3])("fires each of %i timers once if a reply is lost, and the log has each", async (count) => {
  const { home, entities, far, proxy, fired } = await tasks();
  const ids = Array.from({ length: count }, (_, n) => `t${n}`);
  for (const id of ids) {
    await entities.create(id);
    await runOut(home, entities, id);
  }
  const changed: string[] = [];
  proxy.dropReply("evalsha");
  const report = await far.sweep({ once: true, onChange: ({ id }) => void changed.push(id) });
  await proxy.lost;
  const changes = await all(entities.events({ after: "start", follow: false }));
  const late = changes.filter(({ id, state }) => ids.includes(id) && state === "late");
  expect(late.map(({ id, version, actor }) => `${id} ${version} ${actor}`).sort()).toEqual(
    ids.map((id) => `${id} 2 latchkey`),
  );
  for (const id of ids) expect(await entities.get(id)).toMatchObject({ state: "late", version: 2 });
  // At most once each, and the report counts no others.
  expect(new Set(changed).size).toBe(changed.length);
  expect(report).toEqual({ expired: changed.length, removed: 0, given: 0, stuck: 0 });
  expect(fired()).toBe(changed.length);
});

it("removes an entity once if the reply is lost, and the log has the removal", async () => {
  const { home, entities, far, proxy } = await tasks();
  await entities.create("t1");
  await entities.transition("t1", "done");
  await runOut(home, entities, "t1");
  proxy.dropReply("evalsha");
  const report = await far.sweep({ once: true });
  expect(report).toEqual({ expired: 0, removed: 0, given: 0, stuck: 0 });
  expect(await entities.get("t1")).toBeNull();
  const changes = await all(entities.events({ after: "start", follow: false }));
  expect(changes.filter(({ id, type }) => id === "t1" && type === "task.removed")).toHaveLength(1);
});

it("continues in a later round after a reply that was held, and fires nothing twice", async () => {
  const { home, entities, farHome, proxy } = await tasks({ timeout: 100, silenceTimeoutMs: 300 });
  await entities.create("t1");
  await runOut(home, entities, "t1");
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const seen: string[] = [];
  proxy.holdReply("evalsha");
  const sweeping = farHome.sweep({
    ...{ signal: stop.signal, interval: 1 },
    onChange: ({ id }) => void seen.push(id),
    onAway: () => void seen.push("away"),
    onBack: () => void seen.push("back"),
  });
  await expect.poll(() => seen).toContain("back");
  await expect.poll(async () => (await entities.get("t1"))?.state).toBe("late");
  stop.abort();
  const { expired } = await sweeping;
  // A slow machine may have more than one outage.
  expect(seen.filter((one) => one !== "t1").join(" ")).toMatch(/^(away back ?)+(away)?$/);
  expect(seen.filter((one) => one === "t1")).toHaveLength(expired);
  expect(await entities.get("t1")).toMatchObject({ state: "late", version: 2 });
});

it("reports a timer whose first request was lost", async () => {
  const { home, entities, far, proxy, fired } = await tasks();
  await entities.create("t1");
  await runOut(home, entities, "t1");
  proxy.dropRequest("evalsha");
  const sweeping = far.sweep({ once: true });
  await proxy.lost;
  expect(await sweeping).toMatchObject({ expired: 1 });
  expect(fired()).toBe(1);
});

it("sends nothing more in a round after the server has not replied", async () => {
  const { far, proxy } = await tasks({ timeout: 1_000, silenceTimeoutMs: 5_000 }, {}, 3);
  const before = await calls("time");
  proxy.holdReply("time");
  await rejectionOf(NotExecutedError, far.sweep({ once: true }));
  expect((await calls("time")) - before).toBe(1);
});
