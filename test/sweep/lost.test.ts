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
import { client, rejectionOf } from "../helpers/client.js";
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
  /** The same machine, behind the proxy. */
  readonly far: Entities;
  readonly farHome: Latchkey;
  readonly proxy: TcpProxy;
  readonly lines: string[];
  readonly ranOut: () => number;
}

/** How often the server was asked for a command. */
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
  // The scripts are known from here on: the next EVALSHA fires.
  await entities.create("warm");
  await runOut(home, entities, "warm");
  await far.sweep({ once: true });
  await entities.remove("warm");
  lines.length = 0;
  return {
    home,
    entities,
    far,
    farHome,
    proxy,
    lines,
    ranOut: () => lines.filter((line) => line.includes("ran out")).length,
  };
}

it.each([1, 3])("tells of a timeout that fired where the answer was lost, among %i", async (count) => {
  const { home, entities, far, proxy, ranOut } = await tasks();
  const ids = Array.from({ length: count }, (_, n) => `t${n}`);
  for (const id of ids) {
    await entities.create(id);
    await runOut(home, entities, id);
  }
  const told: string[] = [];
  const found: boolean[] = [];
  proxy.dropReply("evalsha");
  const swept = await far.sweep({
    once: true,
    onChange: ({ id, state, actor }, { isFound }) => {
      told.push(`${id} ${state} ${actor}`);
      found.push(isFound);
    },
  });
  expect(found).toContain(true);
  await proxy.lost;
  expect(told.sort()).toEqual(ids.map((id) => `${id} late latchkey`));
  expect(swept).toEqual({ expired: count, removed: 0, given: 0, stuck: 0 });
  expect(ranOut()).toBe(count);
});

it("tells of a removal whose answer was lost, from the event log", async () => {
  const { home, entities, far, proxy, ranOut } = await tasks();
  await entities.create("t1");
  await entities.transition("t1", "done");
  await runOut(home, entities, "t1");
  const told: string[] = [];
  proxy.dropReply("evalsha");
  const swept = await far.sweep({ once: true, onChange: ({ id, type }) => void told.push(`${id} ${type}`) });
  expect(told).toEqual(["t1 task.removed"]);
  expect(swept).toMatchObject({ removed: 1 });
  expect(ranOut()).toBe(1);
});

it("says that it can't tell where the event log was trimmed meanwhile", async () => {
  const { home, entities, far, proxy, lines } = await tasks({}, { events: { keep: 1 } });
  await entities.create("t1");
  await entities.transition("t1", "done");
  await runOut(home, entities, "t1");
  const valkey = await admin();
  proxy.dropReply("evalsha");
  const sweeping = far.sweep({ once: true });
  await proxy.lost;
  await valkey.xtrim(`{${home.namespace}:0}:task:events`, "MAXLEN", 0);
  expect(await sweeping).toMatchObject({ removed: 0 });
  expect(lines.some((line) => /"t1".*may have run out/.test(line))).toBe(true);
});

it.each([
  ["this user may not read them", async () => {}, ["-lrange", "-xrange"]],
  [
    "they are of another type",
    async (home: Latchkey) => {
      const [valkey, prefix] = [await admin(), `{${home.namespace}:0}:task:`];
      for (const key of ["log:t1", "events"])
        await valkey
          .multi()
          .del(prefix + key)
          .set(prefix + key, "x")
          .exec();
    },
    [],
  ],
])("goes on where the logs can't tell what fired: %s", async (_, damage, rights) => {
  const { home, entities, farHome, proxy, lines } = await tasks({ timeout: 100, silenceTimeoutMs: 300 });
  await entities.create("t1");
  await entities.create("t2");
  await runOut(home, entities, "t1");
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const seen: string[] = [];
  proxy.holdReply("evalsha");
  const sweeping = farHome.sweep({
    ...{ signal: stop.signal, interval: 1 },
    onChange: ({ id }) => void seen.push(id),
    onAway: () => void seen.push("away"),
    onStuck: ({ id }) => void seen.push(`stuck ${id}`),
  });
  await proxy.lost;
  await damage(home);
  if (rights.length > 0) {
    await (await admin()).acl("SETUSER", "default", ...rights);
    onTestFinished(async () => void (await (await admin()).acl("SETUSER", "default", "+@all")));
  }
  if (rights.length > 0) {
    await runOut(home, entities, "t2");
    await expect.poll(() => seen).toContain("t2");
    await expect.poll(() => lines.some((line) => /"t1".*may have run out/.test(line))).toBe(true);
  } else await expect.poll(() => seen).toContain("stuck ");
  stop.abort();
  expect((await sweeping).expired).toBe(rights.length > 0 ? 1 : 0);
});

it("tells in a later round of what fired while the server could not be asked", async () => {
  const { home, entities, farHome, proxy, ranOut } = await tasks({ timeout: 100, silenceTimeoutMs: 300 });
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
  stop.abort();
  expect(await sweeping).toMatchObject({ expired: 1 });
  expect(seen.toSorted()).toEqual(["away", "back", "t1"]);
  expect(ranOut()).toBe(1);
});

it("tells once of what fired only when it was asked for again", async () => {
  const { home, entities, far, proxy, ranOut } = await tasks();
  await entities.create("t1");
  await runOut(home, entities, "t1");
  proxy.dropRequest("evalsha");
  const sweeping = far.sweep({ once: true });
  await proxy.lost;
  expect(await sweeping).toMatchObject({ expired: 1 });
  expect(ranOut()).toBe(1);
});

it("asks nothing more in a round in which the server does not answer", async () => {
  const { far, proxy } = await tasks({ timeout: 100, silenceTimeoutMs: 1_000 }, {}, 3);
  const before = await calls("time");
  proxy.holdReply("time");
  await rejectionOf(NotExecutedError, far.sweep({ once: true }));
  expect((await calls("time")) - before).toBe(1);
});
