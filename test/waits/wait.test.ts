import { getEventListeners } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  agent,
  ClosedError,
  type ConnectOptions,
  ContractError,
  NotExecutedError,
  WaitError,
} from "../../src/index.js";
import { startValkey } from "../../src/testing/index.js";
import { admin } from "../helpers/calls.js";
import { agents, all, client, rejection, rejectionOf } from "../helpers/client.js";
import { dial } from "../helpers/dial.js";
import { startProxy } from "../helpers/proxy.js";
import { useValkey } from "../helpers/valkey.js";

/** Counts the connections that follow event logs now. */
async function followers(): Promise<number> {
  return String(await (await admin()).client("LIST")).match(/name=latchkey-events/g)?.length ?? 0;
}

describe("waitFor", () => {
  it("returns the entity at once if it matches already", async () => {
    const ours = await agents();
    await ours.create("a1");
    const now = await ours.transition("a1", "running");
    expect(await ours.waitFor("a1", "running")).toEqual(await ours.get("a1"));
    expect(now.version).toBe(2);
    expect(await ours.waitFor("a1", ({ version }) => version > 1)).toMatchObject({ state: "running" });
  });

  it("returns the change that made the entity match", async () => {
    const ours = await agents();
    await ours.create("a1");
    const met: string[] = [];
    const waiting = ours.waitFor("a1", ({ state }) => met.push(state) > 0 && state === "completed");
    await expect.poll(() => met).toEqual(["spawning"]); // it follows the event log from here on
    await ours.transition("a1", "running");
    const done = await ours.transition("a1", "completed", { reason: "done" });
    expect(await waiting).toEqual(done);
  });

  it("matches a state that the entity leaves at once", async () => {
    const home = await client();
    const list = await home.machine(dial);
    await list.create("x1");
    const waiting = list.waitFor("x1", "b");
    await expect.poll(followers).toBeGreaterThan(0);
    await Promise.all([list.transition("x1", "b"), list.transition("x1", "c")]);
    expect(await waiting).toMatchObject({ state: "b" });
  });

  it("misses no change between reading and following", async () => {
    const home = await client();
    await home.init(4);
    const list = await home.machine(dial);
    for (let n = 0; n < 40; n++) {
      await list.create(`x${n}`);
      const [met] = await Promise.all([list.waitFor(`x${n}`, "b"), list.transition(`x${n}`, "b")]);
      expect(met).toMatchObject({ id: `x${n}`, state: "b", version: 2 });
    }
  });

  it("uses one connection for any number of waits, and none without a wait", async () => {
    const ours = await agents();
    const before = await followers();
    const ids = Array.from({ length: 50 }, (_, n) => `a${n}`);
    for (const id of ids) await ours.create(id);
    const waiting = ids.map((id) => ours.waitFor(id, "killed"));
    await expect.poll(followers).toBe(before + 1);
    for (const id of ids) {
      expect(await followers()).toBe(before + 1);
      await ours.transition(id, "killed");
    }
    expect((await Promise.all(waiting)).map(({ id }) => id)).toEqual(ids);
    await expect.poll(followers).toBe(before);
  });

  it("survives a lost connection and sees the changes of the meantime", async () => {
    const proxy = await startProxy(await useValkey());
    const far = await client({ url: proxy.url });
    const near = await (await client({ namespace: far.namespace })).machine(dial);
    const ours = await far.machine(dial);
    await near.create("x1");
    const waiting = ours.waitFor("x1", "b");
    await expect.poll(followers).toBeGreaterThan(0);
    proxy.shut(true);
    proxy.cut();
    await near.transition("x1", "b");
    await near.transition("x1", "c");
    proxy.shut(false);
    expect(await waiting).toMatchObject({ state: "b", version: 2 });
  });

  it("reads the entity again after a gap in the log", async () => {
    const proxy = await startProxy(await useValkey());
    const far = await client({ url: proxy.url });
    const near = await (await client({ namespace: far.namespace })).machine(dial);
    const ours = await far.machine(dial);
    await near.create("x1");
    const waiting = ours.waitFor("x1", "b");
    await expect.poll(followers).toBeGreaterThan(0);
    proxy.shut(true);
    proxy.cut();
    await near.transition("x1", "b");
    await near.create("x2");
    await near.create("x3");
    await (await admin()).xtrim(`{${far.namespace}:0}:dial:events`, "MAXLEN", 1);
    proxy.shut(false);
    expect(await waiting).toMatchObject({ state: "b", version: 2 });
  });
});

describe("a wait that begins while the server is unreachable", () => {
  /** Connects to the same agents through a proxy, with a short time limit per call, and directly. */
  async function through(settings: ConnectOptions = {}) {
    const proxy = await startProxy(await useValkey());
    const far = await client({ url: proxy.url, timeout: "500ms", ...settings });
    const near = await (await client({ namespace: far.namespace })).machine(agent());
    const ours = await far.machine(agent());
    await near.create("a1");
    // Two calls in a row take longer than the time limit of one.
    const callsFail = async () => {
      for (let n = 0; n < 2; n += 1) await rejectionOf(NotExecutedError, ours.get("a1"));
    };
    return { proxy, near, ours, callsFail };
  }

  it("has only its own time limit, and sees the changes of the meantime", async () => {
    const { proxy, near, ours, callsFail } = await through();
    proxy.shut(true);
    proxy.cut();
    const waiting = ours.waitFor("a1", "running");
    waiting.catch(() => {}); // awaited below
    await callsFail();
    await near.transition("a1", "running");
    proxy.shut(false);
    expect(await waiting).toMatchObject({ state: "running", version: 2 });
  });

  it("waits for a frozen server", async () => {
    const { proxy, near, ours, callsFail } = await through({ silenceTimeoutMs: 500 });
    proxy.freeze(true);
    proxy.cut();
    const waiting = ours.waitFor("a1", "running");
    waiting.catch(() => {}); // awaited below
    await callsFail();
    await near.transition("a1", "running");
    proxy.freeze(false);
    expect(await waiting).toMatchObject({ state: "running", version: 2 });
  });

  it.each([
    ["reading the entity", "hgetall"],
    ["connecting to follow the log", "info\r\n"],
  ])("waits for a server that is lost while %s", async (_, request) => {
    const { proxy, near, ours, callsFail } = await through();
    proxy.dropRequest(request);
    const waiting = ours.waitFor("a1", "running");
    waiting.catch(() => {}); // awaited below
    await proxy.lost;
    proxy.shut(true);
    proxy.cut();
    await callsFail();
    await near.transition("a1", "running");
    proxy.shut(false);
    expect(await waiting).toMatchObject({ state: "running" });
  });

  it("reports an unreachable server when the time is up", async () => {
    const server = await startValkey();
    const home = await client({ url: server.url, timeout: "1s" });
    const ours = await home.machine(agent());
    await server.stop();
    for (const timeout of ["1100ms", "1200ms"] as const) {
      const error = await rejectionOf(WaitError, ours.waitFor("a1", "running", { timeout }));
      expect(error).toMatchObject({ code: "TIMEDOUT", current: null });
      expect(error.message).toContain(`its state is unknown; ${home.address} cannot be reached`);
      expect(error.cause).toBeInstanceOf(NotExecutedError);
      expect(error.cause?.message).toBe(`not connected to ${home.address}: connection refused`);
    }
  });
});

describe("a wait that fails", () => {
  it("reports the state of the entity when the time is up", async () => {
    const ours = await agents();
    const { version } = await ours.create("a1");
    const error = await rejectionOf(WaitError, ours.waitFor("a1", "running", { timeout: 500 }));
    expect(error).toMatchObject({ code: "TIMEDOUT", id: "a1", current: { version } });
    expect(error.message).toBe("agent a1 was not running within 500 ms; it is spawning");
    await expect.poll(followers).toBe(0);
  });

  it("ends when the time is up while no reply arrives", async () => {
    const proxy = await startProxy(await useValkey());
    const far = await client({ url: proxy.url });
    const ours = await far.machine(agent());
    proxy.shut(true);
    proxy.cut();
    const error = await rejectionOf(WaitError, ours.waitFor("a1", "running", { timeout: 50 }));
    expect(error).toMatchObject({ code: "TIMEDOUT", current: null });
  });

  it("rejects an entity that does not exist or is removed", async () => {
    const ours = await agents();
    const none = await rejectionOf(WaitError, ours.waitFor("a1", "running"));
    expect(none).toMatchObject({ code: "NOTFOUND", current: null });
    expect(none.message).toBe("agent a1 not found; it was never created, or removed");
    await ours.create("a1");
    const waiting = rejectionOf(WaitError, ours.waitFor("a1", "running"));
    await expect.poll(followers).toBeGreaterThan(0);
    await ours.remove("a1");
    await ours.create("a1");
    await ours.transition("a1", "running");
    expect(await waiting).toMatchObject({ code: "NOTFOUND", current: null });
    expect((await waiting).message).toBe("agent a1 was removed during the wait; its last state was spawning");
  });

  it("rejects an entity in another final state, unless a predicate may still match", async () => {
    const ours = await agents();
    await ours.create("a1");
    const waiting = rejectionOf(WaitError, ours.waitFor("a1", ["running", "completed"]));
    const predicate = ours.waitFor("a1", ({ cleaned }) => cleaned === true);
    await ours.transition("a1", "killed");
    expect(await waiting).toMatchObject({ code: "FINAL", current: { state: "killed" } });
    expect((await waiting).message).toBe(
      "agent a1 is killed, which is final: no transition leads to running or completed",
    );
    await ours.patch("a1", { set: { cleaned: true } });
    expect(await predicate).toMatchObject({ state: "killed", cleaned: true });
  });

  it("rejects with the signal's reason", async () => {
    const ours = await agents();
    await ours.create("a1");
    const stop = new AbortController();
    const waiting = rejection(ours.waitFor("a1", "running", { signal: stop.signal }));
    await expect.poll(followers).toBeGreaterThan(0);
    stop.abort(new Error("enough"));
    expect((await waiting).message).toBe("enough");
    await expect.poll(followers).toBe(0);
    const before = ours.waitFor("a1", "running", { signal: AbortSignal.abort(new Error("before")) });
    expect((await rejection(before)).message).toBe("before");
  });

  it("rejects when latchkey is closed", async () => {
    const home = await client();
    const ours = await home.machine(agent());
    await ours.create("a1");
    const waiting = rejectionOf(ClosedError, ours.waitFor("a1", "running"));
    await expect.poll(followers).toBeGreaterThan(0);
    await home.close();
    expect((await waiting).code).toBe("CLOSED");
  });

  it("rejects if latchkey was closed before, or is closed as the wait begins", async () => {
    const home = await client();
    const ours = await home.machine(agent());
    await ours.create("a1");
    const waiting = Array.from({ length: 20 }, () => rejection(ours.waitFor("a1", "running")));
    await home.close();
    for (const error of await Promise.all([...waiting, rejection(ours.waitFor("a1", "running"))]))
      expect(error).toMatchObject({ name: "ClosedError", code: "CLOSED" });
  });

  it("rejects if the server rejects the read", async () => {
    const home = await client();
    const ours = await home.machine(agent());
    await (await admin()).set(`{${home.namespace}:0}:agent:id:a1`, "mine");
    const error = await rejectionOf(NotExecutedError, ours.waitFor("a1", "running"));
    expect(error.reply).toBe("WRONGTYPE");
    await expect.poll(followers).toBe(0);
  });

  it("shares one listener per signal with any number of waits, so that Node does not warn", async () => {
    const ours = await agents();
    await ours.create("a1");
    const warned: string[] = [];
    const listen = ({ name }: Error) => void warned.push(name);
    process.on("warning", listen);
    onTestFinished(() => void process.off("warning", listen));
    const stop = new AbortController();
    const { signal } = stop;
    const wait = () => rejection(ours.waitFor("a1", "running", { signal }));
    const waiting = Array.from({ length: 20 }, wait);
    const logs = Array.from({ length: 20 }, () => ours.events({ signal }));
    const reading = logs.map(all);
    await ours.waitFor("a1", "spawning", { signal }); // its end leaves the listeners of the others
    await expect.poll(() => logs.every(({ cursor }) => cursor !== undefined)).toBe(true);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    stop.abort(new Error("enough"));
    expect(new Set((await Promise.all(waiting)).map(({ message }) => message))).toEqual(new Set(["enough"]));
    expect((await Promise.all(reading)).flat()).toEqual([]);
    expect(warned).toEqual([]);
    const { signal: other } = new AbortController();
    await ours.waitFor("a1", "spawning", { signal: other });
    expect(getEventListeners(other, "abort")).toEqual([]);
  });

  it("rejects a predicate that returns a promise, which would always be true", async () => {
    const ours = await agents();
    await ours.create("a1");
    const matches = async () => Promise.reject(new Error("unused"));
    const error = await rejectionOf(ContractError, ours.waitFor("a1", matches as unknown as () => boolean));
    expect(error.message).toContain(
      "the predicate of waitFor returned a promise; it must return true or false",
    );
  });

  it("rejects with the error that the predicate throws", async () => {
    const ours = await agents();
    await ours.create("a1");
    const waiting = ours.waitFor("a1", () => {
      throw new Error("boom");
    });
    expect((await rejection(waiting)).message).toBe("boom");
  });

  it.each([
    ["an unknown state", "runing", {}, 'unknown state "runing"; did you mean "running"?'],
    ["an empty list", [], {}, "waitFor needs at least one state"],
    ["undefined", undefined, {}, "waitFor needs a state, a list of states or a function, not undefined"],
    ["a number", 5, {}, "waitFor needs a state, a list of states or a function, not 5"],
    ["a number among states", ["running", 5], {}, "unknown state 5; agent has spawning"],
    ["an invalid timeout", "running", { timeout: "soon" }, 'timeout: invalid duration "soon"'],
    ["a timeout longer than any timer", "running", { timeout: "25d" }, "at most 24d"],
    ["an unknown option", "running", { timout: "1s" }, 'unknown option "timout"; did you mean "timeout"?'],
    ["null as options", "running", null, "options must be an object (of timeout, signal), not null"],
    ["an invalid signal", "running", { signal: "x" }, "signal must be an AbortSignal"],
  ])("rejects %s", async (_, target, options, text) => {
    const ours = await agents();
    const waiting = ours.waitFor("a1", target as "running", options as object);
    expect((await rejectionOf(ContractError, waiting)).message).toContain(text);
    expect((await rejection(ours.waitFor("a 1", "running"))).message).toContain("id");
  });
});

it("waitFor reports an entity that the server lost without an event", async () => {
  const home = await client();
  const ours = await home.machine(agent());
  await ours.create("a1");
  let judged = (): void => {};
  const firstRead = new Promise<void>((resolve) => {
    judged = resolve;
  });
  const wait = ours.waitFor(
    "a1",
    () => {
      judged();
      return false;
    },
    { timeout: "2s" },
  );
  const error = rejectionOf(WaitError, wait);
  await firstRead;
  await (await admin()).flushdb();
  expect(await error).toMatchObject({
    code: "NOTFOUND",
    message: "agent a1 is gone without an event: the server lost it",
  });
});
