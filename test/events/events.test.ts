import { Valkey } from "iovalkey";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  agent,
  type Change,
  ConnectError,
  ContractError,
  connect,
  type Entities,
  type EventLog,
  GapError,
} from "../../src/index.js";
import { startValkey } from "../../src/testing/index.js";
import { admin } from "../helpers/calls.js";
import { agents, all, client, rejectionOf } from "../helpers/client.js";
import { type DialState, dial } from "../helpers/dial.js";
import { startProxy } from "../helpers/proxy.js";
import { recordingLogger } from "../helpers/secrets.js";
import { subscribed } from "../helpers/subscribed.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

/** Creates dials over four partitions, and returns the keys of their logs. */
async function dials(partitions = 4): Promise<{ list: Entities<DialState>; logs: string[] }> {
  const home = await client();
  await home.init(partitions);
  const logs = Array.from({ length: partitions }, (_, p) => `{${home.namespace}:${p}}:dial:events`);
  return { list: await home.machine(dial), logs };
}

function names(changes: readonly Change[]): string[] {
  return changes.map(({ id, version }) => `${id}@${version}`);
}

/** Takes the next `count` changes and stops there. */
async function take<C>(log: AsyncIterable<C>, count: number): Promise<C[]> {
  const changes: C[] = [];
  for await (const change of log) if (changes.push(change) === count) break;
  return changes;
}

describe("the event log", () => {
  it("contains the documents that the changes returned, in order", async () => {
    const ours = await agents();
    const done = [
      await ours.create("a1", { taskId: "t1" }, { actor: "me" }),
      await ours.create("a2"),
      await ours.transition("a1", "failed", { set: { error: "exit 137" }, reason: "oom", op: "o1" }),
      await ours.patch("a2", { set: { n: 1.5 } }),
      await ours.remove("a1"),
    ];
    const log = ours.events({ after: "start", follow: false });
    expect(log.cursor).toBeUndefined();
    expect(await all(log)).toEqual(done);
    expect(log.cursor).toMatch(/^\d+-\d+@[0-9a-f]{8}$/);
    expect((await ours.history("a2")).map(({ version }) => version)).toEqual([1, 2]);
  });

  it("continues exactly after any cursor, over all partitions", async () => {
    const { list } = await dials();
    for (let n = 0; n < 30; n++) {
      await list.create(`x${n}`);
      await list.transition(`x${n}`, "b");
    }
    const whole = names(await all(list.events({ after: "start", follow: false })));
    expect(whole).toHaveLength(60);
    const met: string[] = [];
    let after: string = "start";
    for (;;) {
      const log: EventLog<Change> = list.events({ after, follow: false });
      const part = await take(log, 7);
      if (part.length === 0) break;
      met.push(...names(part));
      after = log.cursor ?? "";
    }
    expect(met.slice().sort()).toEqual(whole.slice().sort());
    for (let n = 0; n < 30; n++) expect(met.indexOf(`x${n}@1`)).toBeLessThan(met.indexOf(`x${n}@2`));
    expect(await all(list.events({ after, follow: false }))).toEqual([]);
  });

  it("delivers later changes as they happen", async () => {
    const { list } = await dials();
    await list.create("x0");
    const met: string[] = [];
    for await (const change of list.events({ after: "start" })) {
      met.push(...names([change]));
      if (met.length === 20) break;
      if (met.length % 2 === 1) await list.create(`x${met.length}`);
      else await list.transition("x0", "b");
      if (met.length === 7) await list.create("x-more");
    }
    expect(new Set(met).size).toBe(20);
    expect(met.slice(0, 2)).toEqual(["x0@1", "x1@1"]);
  });

  it("delivers only later changes from the end", async () => {
    const { list } = await dials();
    await list.create("x0");
    const log = list.events();
    const next = take(log, 1);
    await expect.poll(() => log.cursor).toBeDefined();
    await list.create("x1");
    expect(names(await next)).toEqual(["x1@1"]);
    expect(await all(list.events({ after: "end", follow: false }))).toEqual([]);
  });

  it("delivers more than one batch, each change once", async () => {
    const { list } = await dials(1);
    await Promise.all(Array.from({ length: 1000 }, (_, n) => list.create(`x${n}`)));
    const whole = names(await all(list.events({ after: "start", follow: false })));
    expect(new Set(whole).size).toBe(1000);
  });

  it.each(["", "soon", "1-2-3", "5", "0-0,0-0,0-0", "-1-0"])(
    "rejects the cursor %j and shows a valid one",
    async (after) => {
      const { list } = await dials();
      expect(() => list.events({ after })).toThrow(ContractError);
      expect(() => list.events({ after })).toThrow(
        /^after: (.* is not a cursor; use "start", "end" or a cursor|the cursor has 3 partitions, but the log has)/,
      );
    },
  );
});

describe("a reader whose cursor is before the trimmed part of the log", () => {
  /** Trims a log to its newest `keep` entries. */
  const trim = async (key: string | undefined, keep: number) =>
    (await admin()).xtrim(key ?? "", "MAXLEN", keep);

  it("gets an error with a cursor after the gap", async () => {
    const { list, logs } = await dials(1);
    const log = list.events({ after: "start", follow: false });
    await list.create("x0");
    expect(names(await all(log))).toEqual(["x0@1"]);
    for (let n = 1; n < 10; n++) await list.create(`x${n}`);
    await trim(logs[0], 4);
    const cursor = log.cursor ?? "";
    const error = await rejectionOf(GapError, all(list.events({ after: cursor, follow: false })));
    expect(error.code).toBe("GAP");
    expect(error.message).toBe(
      `the event log of dial was trimmed after ${cursor}; list the entities again, then continue after ${error.cursor}`,
    );
    const rest = list.events({ after: error.cursor, follow: false });
    expect(names(await all(rest))).toEqual(["x6@1", "x7@1", "x8@1", "x9@1"]);
    expect(await all(list.events({ after: rest.cursor ?? "", follow: false }))).toEqual([]);
  });

  it("gets an error if the log is trimmed while it follows", async () => {
    const { list, logs } = await dials(1);
    await list.create("x0");
    const error = await rejectionOf(
      GapError,
      (async () => {
        for await (const { id } of list.events({ after: "start" })) {
          expect(id).toBe("x0");
          for (let n = 1; n < 300; n++) await list.create(`x${n}`);
          await trim(logs[0], 10);
        }
      })(),
    );
    expect(names(await all(list.events({ after: error.cursor, follow: false })))).toHaveLength(10);
  });

  it("gets an error if the log was empty at its cursor and was trimmed since", async () => {
    const { list, logs } = await dials();
    const log = list.events({ after: "end", follow: false });
    await all(log);
    expect(log.cursor).toBe("0-0,0-0,0-0,0-0");
    for (let n = 0; n < 40; n++) await list.create(`x${n}`);
    for (const key of logs) await trim(key, 1);
    const error = await rejectionOf(GapError, all(list.events({ after: log.cursor ?? "", follow: false })));
    expect(await all(list.events({ after: error.cursor, follow: false }))).toHaveLength(4);
  });

  it("gets an error if all entries after its cursor were trimmed", async () => {
    const { list, logs } = await dials(1);
    await list.create("x0");
    const log = list.events({ after: "start", follow: false });
    await all(log);
    await list.create("x1");
    await trim(logs[0], 0);
    const error = await rejectionOf(GapError, all(list.events({ after: log.cursor ?? "", follow: false })));
    expect(await all(list.events({ after: error.cursor, follow: false }))).toEqual([]);
  });

  it("gets no error if only entries before its cursor were trimmed", async () => {
    const { list, logs } = await dials(1);
    for (let n = 0; n < 10; n++) await list.create(`x${n}`);
    const log = list.events({ after: "start", follow: false });
    await all(log);
    await trim(logs[0], 1);
    await list.create("x10");
    expect(names(await all(list.events({ after: log.cursor ?? "", follow: false })))).toEqual(["x10@1"]);
  });

  it("gets no error if it starts at the oldest entry", async () => {
    const { list, logs } = await dials(1);
    for (let n = 0; n < 10; n++) await list.create(`x${n}`);
    await trim(logs[0], 3);
    expect(await all(list.events({ after: "start", follow: false }))).toHaveLength(3);
  });

  it("gets an error if the machine's limit `events.keep` trimmed the log", async () => {
    const home = await client();
    const ours = await home.machine(agent({ version: 2, keepEvents: 1 }));
    await ours.create("a0");
    const log = ours.events({ after: "start", follow: false });
    await all(log);
    await Promise.all(Array.from({ length: 500 }, (_, n) => ours.create(`a${n + 1}`)));
    const error = await rejectionOf(GapError, all(ours.events({ after: log.cursor ?? "", follow: false })));
    const left = await all(ours.events({ after: error.cursor, follow: false }));
    expect(left.length).toBeLessThan(500);
    expect(left.at(-1)?.id).toBe("a500");
  });
});

describe("an iteration that follows the log ends", () => {
  it("at once when its signal is aborted while it waits", async () => {
    const ours = await agents();
    await ours.create("a1");
    const stop = new AbortController();
    const met: string[] = [];
    for await (const { type } of ours.events({ after: "start", signal: stop.signal })) {
      met.push(type);
      setImmediate(() => stop.abort());
    }
    expect(met).toEqual(["agent.spawned"]);
  });

  it("before the next change when its signal is aborted in between", async () => {
    const ours = await agents();
    for (const id of ["a1", "a2", "a3"]) await ours.create(id);
    const stop = new AbortController();
    const met: string[] = [];
    for await (const { id } of ours.events({ after: "start", signal: stop.signal })) {
      met.push(id);
      if (id === "a2") stop.abort();
    }
    expect(met).toEqual(["a1", "a2"]);
  });

  it("without a change if its signal was aborted before, or while it connects", async () => {
    const ours = await agents();
    await ours.create("a1");
    expect(await all(ours.events({ after: "start", signal: AbortSignal.abort() }))).toEqual([]);
    const stop = new AbortController();
    const following = all(ours.events({ after: "start", signal: stop.signal }));
    stop.abort();
    expect(await following).toEqual([]);
  });

  it("without leaving a connection open", async () => {
    const home = await client({ connectionName: "mine" });
    const ours = await home.machine(agent());
    await ours.create("a1");
    const open = async () =>
      String(await (await admin()).client("LIST")).match(/name=latchkey-events/g)?.length ?? 0;
    const before = await open();
    for (let n = 0; n < 5; n++) await take(ours.events({ after: "start" }), 1);
    await expect.poll(open).toBe(before);
  });
});

describe("after a lost connection", () => {
  it("the log continues without loss or repetition", async () => {
    const { list } = await dials();
    const killer = new Valkey({ ...(await useValkey()), lazyConnect: true });
    await killer.connect();
    onTestFinished(() => killer.disconnect());
    const following = take(list.events({ after: "start" }), 200);
    for (let n = 0; n < 200; n++) {
      await expect
        .poll(() => list.create(`x${n}`).catch(() => list.get(`x${n}`)), { interval: 1 })
        .toBeTruthy();
      if (n % 20 === 10) await killer.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    }
    const met = names(await following);
    expect(met.slice().sort()).toEqual(Array.from({ length: 200 }, (_, n) => `x${n}@1`).sort());
  });

  it("the log continues when the server comes back after a while", async () => {
    const first = await startValkey();
    const namespace = freshNamespace();
    const home = await connect({ url: first.url, namespace });
    onTestFinished(() => home.close());
    const ours = await home.machine(agent());
    const following = take(ours.events({ after: "start" }), 1);
    await expect.poll(() => followers(first, namespace)).toBe(1);
    await first.stop();
    await expect.poll(() => ours.get("a1").catch(({ code }) => code)).toBe("NOTEXECUTED");
    const second = await startValkey({ port: first.port });
    onTestFinished(() => second.stop());
    const applied = () => home.apply(agent()).catch(() => undefined);
    await expect.poll(applied).toBeDefined();
    await ours.create("a1");
    expect(names(await following)).toEqual(["a1@1"]);
  });

  it("the log continues when a frozen server comes back", async () => {
    const server = await startValkey();
    onTestFinished(() => server.stop());
    if (!("pid" in server)) throw new Error("A server in a container cannot be frozen");
    const { logger, lines } = recordingLogger();
    const { namespace } = await client({ url: server.url });
    const watched = await client({ url: server.url, namespace, silenceTimeoutMs: 200, logger });
    const ours = await watched.machine(agent());
    const following = take(ours.events({ after: "start" }), 2);
    await ours.create("a1");
    await expect.poll(() => followers(server, namespace)).toBe(1);
    process.kill(server.pid, "SIGSTOP");
    onTestFinished(() => void process.kill(server.pid, "SIGCONT"));
    await expect.poll(() => lines.join()).toContain("latchkey-events");
    process.kill(server.pid, "SIGCONT");
    await expect
      .poll(() =>
        ours.create("a2").then(
          () => true,
          () => ours.get("a2"),
        ),
      )
      .toBeTruthy();
    expect(names(await following)).toEqual(["a1@1", "a2@1"]);
  });

  it("the log is read if a frozen server comes back within the time limit", async () => {
    const proxy = await startProxy(await useValkey());
    const far = await client({ url: proxy.url, connectTimeoutMs: 500, timeout: "1m" });
    const ours = await far.machine(agent());
    await ours.create("a1");
    proxy.freeze(true);
    const reading = all(ours.events({ after: "start", follow: false }));
    reading.catch(() => {}); // awaited below
    await expect.poll(() => proxy.frozen).toBeGreaterThan(1);
    proxy.freeze(false);
    expect(names(await reading)).toEqual(["a1@1"]);
  });

  it("the log throws if the server is unreachable at first", async () => {
    const server = await startValkey();
    const home = await connect({ url: server.url, namespace: freshNamespace(), timeout: "1s" });
    onTestFinished(() => home.close());
    const ours = await home.machine(agent());
    await server.stop();
    const error = await rejectionOf(ConnectError, all(ours.events({ after: "start" })));
    expect(error.reason).toBe("refused");
  });
});

/** Counts the clients that follow the log of agents. */
async function followers({ host, port }: { host: string; port: number }, namespace: string): Promise<number> {
  const valkey = new Valkey({ host, port });
  try {
    return await subscribed(valkey, namespace, "agent");
  } finally {
    valkey.disconnect();
  }
}

it("the log throws at once if the server rejects the read", async () => {
  const ours = await agents();
  await ours.create("a1");
  const valkey = await admin();
  const home = await client();
  const theirs = await home.machine(agent());
  await valkey.set(`{${home.namespace}:0}:agent:events`, "mine");
  await expect(all(theirs.events({ after: "start" }))).rejects.toThrow(
    /^the event log of agent was rejected: wrong key type: not written by latchkey \(WRONGTYPE/,
  );
});
