import { Valkey } from "iovalkey";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Change, Entities, GapError, Latchkey } from "../../src/index.js";
import { startValkey } from "../../src/testing/index.js";
import { admin } from "../helpers/calls.js";
import { all, client, rejection } from "../helpers/client.js";
import { type DialState, dial } from "../helpers/dial.js";
import { subscribed } from "../helpers/subscribed.js";
import { useValkey } from "../helpers/valkey.js";

interface House {
  readonly home: Latchkey;
  readonly dials: Entities<DialState>;
  readonly knobs: Entities<DialState>;
  readonly valkey: Valkey;
  /** Returns the names of all connections except that of the test itself. */
  names(): Promise<string[]>;
}

/** One client of two machines, alone on a server of its own. */
async function house(): Promise<House> {
  const server = await startValkey();
  onTestFinished(() => server.stop());
  const valkey = new Valkey({ host: server.host, port: server.port, connectionName: "test" });
  onTestFinished(() => valkey.disconnect());
  const home = await client({ url: server.url });
  await home.init(4);
  const names = async () =>
    [...String(await valkey.client("LIST")).matchAll(/ name=(\S*)/g)]
      .map(([, name = ""]) => name)
      .filter((name) => name !== "test")
      .sort();
  const [dials, knobs] = [await home.machine(dial), await home.machine({ ...dial, name: "knob" })];
  return { home, dials, knobs, valkey, names };
}

const SHARED = ["latchkey", "latchkey-events", "latchkey-subscribe"];

/** Follows a log until the signal is aborted. */
function follow(list: Entities<DialState>, signal: AbortSignal) {
  const ids: string[] = [];
  const ended = (async () => {
    for await (const { id } of list.events({ after: "start", signal })) ids.push(id);
  })();
  return { ids, ended };
}

describe("the subscriptions, followed logs, waits and reactions of one client", () => {
  it("share two connections, which close with the last of them", async () => {
    const { dials, knobs, names } = await house();
    const warned: string[] = [];
    const listen = ({ name }: Error) => void warned.push(name);
    process.on("warning", listen);
    onTestFinished(() => void process.off("warning", listen));
    expect(await names()).toEqual(["latchkey"]);
    const heard = { dial: 0, knob: 0 };
    const hear = ({ machine }: Change) => {
      heard[machine as "dial" | "knob"] += 1;
    };
    const both = (n: number) => (n % 2 === 0 ? dials : knobs);
    const subscriptions = await Promise.all(Array.from({ length: 1000 }, (_, n) => both(n).subscribe(hear)));
    expect(await names()).toEqual(["latchkey", "latchkey-subscribe"]);
    const stop = new AbortController();
    const followers = Array.from({ length: 50 }, (_, n) => follow(both(n), stop.signal));
    const handled: string[] = [];
    const reactions = await Promise.all(
      ["r1", "r2"].map((name) => dials.react(name, ({ id }) => void handled.push(id))),
    );
    await dials.create("x1");
    const waiting = dials.waitFor("x1", "b");
    await knobs.create("y1");
    await dials.transition("x1", "b");
    expect(await waiting).toMatchObject({ state: "b" });
    await expect.poll(() => heard).toEqual({ dial: 1000, knob: 500 });
    const seen = followers.map((_, n) => (n % 2 === 0 ? ["x1", "x1"] : ["y1"]));
    await expect.poll(() => followers.map(({ ids }) => ids)).toEqual(seen);
    await expect.poll(() => handled).toEqual(["x1", "x1", "x1", "x1"]);
    expect(await names()).toEqual(SHARED);
    await Promise.all(reactions.map((reaction) => reaction.close()));
    await Promise.all(subscriptions.map((subscription) => subscription.close()));
    expect(await names()).toEqual(SHARED); // the followers need both
    stop.abort();
    await Promise.all(followers.map(({ ended }) => ended));
    await expect.poll(names).toEqual(["latchkey"]);
    expect(warned).toEqual([]);
  });

  it("leave the channel of a machine with its last subscription", async () => {
    const { home, dials, knobs, valkey } = await house();
    const subscriptions = [await dials.subscribe(() => {}), await dials.subscribe(() => {})];
    const heard: string[] = [];
    await knobs.subscribe(({ id }) => void heard.push(id));
    const count = (machine: string) => subscribed(valkey, home.namespace, machine);
    await subscriptions[0]?.close();
    await knobs.create("y1");
    await expect.poll(() => heard).toEqual(["y1"]);
    expect([await count("dial"), await count("knob")]).toEqual([1, 1]);
    await subscriptions[1]?.close();
    await expect.poll(() => count("dial")).toBe(0);
    await dials.subscribe(({ id }) => void heard.push(id));
    await dials.create("x1");
    await expect.poll(() => heard).toEqual(["y1", "x1"]);
  });

  it("learn of a lost connection, each subscription once", async () => {
    const { dials, knobs, valkey } = await house();
    const missed: string[] = [];
    for (const [name, list] of Object.entries({ dials, knobs })) {
      for (let n = 0; n < 2; n += 1)
        await list.subscribe(() => {}, { onMissed: () => void missed.push(name) });
    }
    await valkey.call("CLIENT", "KILL", "TYPE", "pubsub");
    await expect.poll(() => missed.slice().sort()).toEqual(["dials", "dials", "knobs", "knobs"]);
    const later = await dials.subscribe(() => {}, { onMissed: () => void missed.push("later") });
    await later.close();
    await valkey.call("CLIENT", "KILL", "TYPE", "pubsub");
    await expect.poll(() => missed.length).toBe(8);
    expect(missed).not.toContain("later");
  });

  it("do not wait for a slow reader, which keeps at most one batch in memory", async () => {
    const { home, dials, valkey } = await house();
    const ids = Array.from({ length: 500 }, (_, n) => `x${n}`);
    await dials.create("first");
    const slow = dials.events({ after: "start" })[Symbol.asyncIterator]();
    await slow.next();
    const stop = new AbortController();
    const { ids: met, ended } = follow(dials, stop.signal);
    await Promise.all(ids.map((id) => dials.create(id)));
    await expect.poll(() => met.length).toBe(501);
    stop.abort();
    await ended;
    for (let p = 0; p < 4; p += 1) await valkey.xtrim(`{${home.namespace}:${p}}:dial:events`, "MAXLEN", 0);
    const error = (await rejection(slow.next())) as GapError;
    expect(error.code).toBe("GAP");
  });
});

describe("a reader that follows the log", () => {
  it("returns an entry whose published message was lost", async () => {
    const home = await client({ silenceTimeoutMs: 200 });
    const list = await home.machine(dial);
    const valkey = await admin();
    const key = `{${home.namespace}:0}:dial:events`;
    await list.create("x1");
    const stop = new AbortController();
    const { ids, ended } = follow(list, stop.signal);
    await expect.poll(() => subscribed(valkey, home.namespace, "dial")).toBe(1);
    const [[, fields = []] = []] = await valkey.xrange(key, "-", "+");
    await valkey.xadd(key, "*", ...fields);
    await expect.poll(() => ids).toEqual(["x1", "x1"]);
    stop.abort();
    await ended;
  });

  it("returns all changes to a user who may not use the channel", async () => {
    const { url } = await useValkey();
    const home = await client();
    const list = await home.machine(dial);
    const { namespace } = home;
    const user = { username: namespace, password: "pass", silenceTimeoutMs: 200 };
    await (await admin()).call("ACL", "SETUSER", namespace, "on", ">pass", "~*", "+@all", "resetchannels");
    const reader = await (await client({ url, namespace, ...user })).installed("dial");
    const ids: string[] = [];
    const reading = (async () => {
      for await (const { id } of reader?.events({ after: "start" }) ?? []) if (ids.push(id) === 3) break;
    })();
    await list.create("x1");
    await expect.poll(() => ids).toEqual(["x1"]);
    await list.create("x2");
    await list.create("x3");
    await reading;
    expect(ids).toEqual(["x1", "x2", "x3"]);
    expect(await all(list.events({ after: "start", follow: false }))).toHaveLength(3);
  });
});
