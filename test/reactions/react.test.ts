import { describe, expect, it } from "vitest";
import { ContractError, type MissedEvents, NotExecutedError } from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { agents, all, client, rejection, rejectionOf } from "../helpers/client.js";
import { dial } from "../helpers/dial.js";
import { gate, keyOf, nameOf, reacting, replicas } from "../helpers/reactions.js";
import { recordingLogger } from "../helpers/secrets.js";
import { useValkey } from "../helpers/valkey.js";

describe("a reaction", () => {
  it("handles what happens from its start on, each event once and as the document that the caller got", async () => {
    const ours = await agents();
    await ours.create("a0");
    const met: unknown[] = [];
    await using _ = await ours.react("cleanup", (change, { attempt }) => void met.push([change, attempt]));
    const done = [
      await ours.create("a1", { n: 1.5 }),
      await ours.transition("a1", "running"),
      await ours.remove("a1"),
    ];
    await expect.poll(() => met.length).toBe(3);
    expect(met).toEqual(done.map((change) => [change, 1]));
  });

  it("begins at the log's start where that is asked for, and the next time where it ended", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    await ours.create("x1");
    const met: string[] = [];
    const first = await reacting(ours, (change) => void met.push(nameOf(change)), { from: "start" });
    await expect.poll(() => met).toEqual(["x1@1"]);
    await first.close();
    await ours.create("x2");
    await reacting(ours, (change) => void met.push(nameOf(change)), { from: "start" });
    await expect.poll(() => met).toEqual(["x1@1", "x2@1"]);
  });

  it("handles only the events that it is for, over all partitions", async () => {
    const home = await client();
    await home.init(4);
    const list = await home.machine(dial);
    const met: string[] = [];
    const on = ["dial.b", "dial.removed"];
    await reacting(list, ({ id, type }) => void met.push(`${id} ${type}`), { on });
    for (let n = 0; n < 20; n++) {
      await list.create(`x${n}`);
      await list.transition(`x${n}`, "b");
      await list.patch(`x${n}`, { set: { n } });
      await list.remove(`x${n}`);
    }
    await expect.poll(() => met.length).toBe(40);
    expect(met.sort()).toEqual(
      Array.from({ length: 20 }, (_, n) => [`x${n} dial.b`, `x${n} dial.removed`])
        .flat()
        .sort(),
    );
  });

  it("takes thousands of events that it is not for, and the one behind them", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    await Promise.all(Array.from({ length: 2000 }, (_, n) => ours.create(`x${n}`)));
    await ours.transition("x0", "b");
    const met: string[] = [];
    await reacting(ours, (change) => void met.push(nameOf(change)), { on: ["dial.b"], from: "start" });
    await expect.poll(() => met).toEqual(["x0@2"]);
  });

  it("runs as many handlers at once as it may, each for another entity", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    let running = 0;
    let most = 0;
    const hold = gate();
    const met: string[] = [];
    const handler = async (change: Parameters<typeof nameOf>[0]) => {
      running += 1;
      most = Math.max(most, running);
      await hold.promise;
      running -= 1;
      met.push(nameOf(change));
    };
    await reacting(ours, handler, { concurrency: 3 });
    for (let n = 0; n < 10; n++) await ours.create(`x${n}`);
    await ours.transition("x0", "b");
    await expect.poll(() => running).toBe(3);
    hold.open();
    await expect.poll(() => met.length).toBe(11);
    expect(most).toBe(3);
    expect(met.indexOf("x0@1")).toBeLessThan(met.indexOf("x0@2"));
  });

  it("lets the handlers that run end when it is closed, and takes nothing more", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    const [begun, hold] = [gate(), gate()];
    const met: string[] = [];
    const reaction = await reacting(
      ours,
      async (change) => {
        begun.open();
        await hold.promise;
        met.push(nameOf(change));
      },
      { concurrency: 1 },
    );
    await ours.create("x1");
    await ours.transition("x1", "b");
    await ours.create("x2");
    await begun.promise;
    const closing = reaction.close();
    hold.open();
    await closing;
    expect(met).toEqual(["x1@1"]);
    await reacting(ours, (change) => void met.push(nameOf(change)));
    await expect.poll(() => met.length).toBe(3);
    expect(met.indexOf("x1@1")).toBeLessThan(met.indexOf("x1@2"));
  });

  it("is ended by its signal, which handlers see; what they leave is handled again, and has not failed", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    const stop = new AbortController();
    const begun = gate();
    const reaction = await reacting(
      ours,
      async (_, { signal }) => {
        begun.open();
        await new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason)),
        );
      },
      { signal: stop.signal, deadLetterAfter: 1 },
    );
    await ours.create("x1");
    await begun.promise;
    stop.abort(new Error("enough"));
    await reaction.closed;
    const met: [string, number][] = [];
    const handler = (change: Parameters<typeof nameOf>[0], { attempt }: { attempt: number }) =>
      void met.push([nameOf(change), attempt]);
    await reacting(ours, handler, { deadLetterAfter: 1 });
    await expect.poll(() => met).toEqual([["x1@1", 1]]);
    expect(await all(ours.deadLetters("r"))).toEqual([]);
  });

  it("leaves a try uncounted that latchkey's own end cut off, whether its handler ended by then or not", async () => {
    const { namespace, list } = await replicas(1);
    const [ours] = list;
    await ours.create("x1");
    for (const ends of [true, false]) {
      const home = await client({ namespace });
      const begun = gate<number>();
      const late: (() => void)[] = [];
      const reaction = await reacting(
        await home.machine(dial),
        async (_, { attempt, signal }) => {
          begun.open(attempt);
          await new Promise((_resolve, reject) => {
            signal.addEventListener("abort", () => (ends ? reject(signal.reason) : void late.push(reject)));
          });
        },
        { from: "start", deadLetterAfter: 1, takeOverAfter: "2s" },
      );
      expect(await begun.promise).toBe(1);
      await home.close();
      for (const reject of late) reject();
      await reaction.closed;
    }
    const met: number[] = [];
    await reacting(ours, (_, { attempt }) => void met.push(attempt), {
      deadLetterAfter: 1,
      takeOverAfter: "2s",
    });
    await expect.poll(() => met).toEqual([1]);
    expect(await all(ours.deadLetters("r"))).toEqual([]);
  });

  it("counts the tries that failed before a stop, and those alone", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    const stop = new AbortController();
    const begun = gate();
    const reaction = await reacting(
      ours,
      async (_, { attempt, signal }) => {
        if (attempt === 1) throw new Error("no");
        begun.open();
        await new Promise((_resolve, reject) => signal.addEventListener("abort", reject));
      },
      { signal: stop.signal },
    );
    await ours.create("x1");
    await begun.promise;
    stop.abort();
    await reaction.closed;
    const met: number[] = [];
    await reacting(ours, (_, { attempt }) => void met.push(attempt));
    await expect.poll(() => met).toEqual([2]);
  });

  it("ends with latchkey, and does nothing where its signal was aborted before", async () => {
    const home = await client();
    const list = await home.machine(dial);
    const reaction = await list.react("r", () => {});
    const never = await list.react("never", () => {}, { signal: AbortSignal.abort() });
    await never.closed;
    await home.close();
    await reaction.closed;
  });

  it("leaves no connection behind", async () => {
    const open = async () =>
      String(await (await admin()).client("LIST")).match(/name=latchkey-events/g)?.length ?? 0;
    const { list } = await replicas(1);
    const before = await open();
    for (let n = 0; n < 3; n++) await (await list[0].react("r", () => {})).close();
    await expect.poll(open).toBe(before);
  });

  it.each([
    ["a name that is none", "Clean Up", {}, "reaction"],
    [
      "an event that is none",
      "r",
      { on: ["dial.bb"] },
      'on: unknown event "dial.bb"; did you mean "dial.b"?',
    ],
    ["a place that is none", "r", { from: "0-0" }, 'from must be "start" or "end"'],
    ["no handler at once", "r", { concurrency: 0 }, "concurrency must be a whole number from 1"],
    ["no try", "r", { deadLetterAfter: 0 }, "deadLetterAfter must be"],
    ["a pause that is none", "r", { retries: { first: "soon" } }, 'retries.first: invalid duration "soon"'],
    ["a death that never comes", "r", { takeOverAfter: "2d" }, "takeOverAfter must be at most 1d"],
    [
      "a misspelt option",
      "r",
      { deadLetterAftr: 3 },
      'unknown option "deadLetterAftr"; did you mean "deadLetterAfter"?',
    ],
    ["options that are none", "r", null, "options must be an object"],
    ["an event that is not in a list", "r", { on: "dial.b" }, 'on must be a list of events, not "dial.b"'],
    ["events that are no list", "r", { on: 3 }, "on must be a list of events"],
    ["an event that is no text", "r", { on: [3] }, "on: unknown event 3; dial has dial."],
    ["a number of retries", "r", { retries: 3 }, "retries must be an object (of first, longest)"],
    ["a misspelt pause", "r", { retries: { frist: "1s" } }, 'unknown option "frist"; did you mean "first"?'],
    [
      "a first pause over the longest",
      "r",
      { retries: { first: "5m" } },
      "retries.first (5m) is more than retries.longest (1m)",
    ],
    ["a controller for its signal", "r", { signal: new AbortController() }, "signal must be an AbortSignal"],
    ["what can't be called for what was missed", "r", { onMissed: "log" }, "onMissed must be a function"],
  ])("refuses %s", async (_, name, options, text) => {
    const list = await (await client()).machine(dial);
    const error = await rejectionOf(
      ContractError,
      list.react(name, () => {}, options as object),
    );
    expect(error.message).toContain(text);
  });

  it("refuses a handler that can't be called", async () => {
    const list = await (await client()).machine(dial);
    const error = await rejectionOf(ContractError, list.react("r", undefined as never));
    expect(error.message).toBe("the handler must be a function; it is called with each change");
  });
});

describe("where something is wrong", () => {
  it("says so where the user may not, and at once", async () => {
    const { url } = await useValkey();
    const home = await client();
    const { namespace } = home;
    await home.machine(dial);
    await (await admin()).acl("SETUSER", namespace, "on", ">p", "~*", "&*", "+@all", "-xgroup");
    const poor = await (await client({ url, namespace, username: namespace, password: "p" })).machine(dial);
    const error = await rejectionOf(
      NotExecutedError,
      poor.react("r", () => {}),
    );
    expect(error.message).toContain("NOPERM");
  });

  it("ends, and `closed` says why, where it may not go on", async () => {
    const { url } = await useValkey();
    const { logger, lines } = recordingLogger();
    const home = await client();
    const { namespace } = home;
    const ours = await home.machine(dial);
    const user = ["SETUSER", namespace, "on", ">p", "~*", "&*", "+@all"] as const;
    await (await admin()).acl(...user);
    const poor = await client({ url, namespace, username: namespace, password: "p", logger });
    const reaction = await (await poor.machine(dial)).react("r", () => {});
    await (await admin()).acl("SETUSER", namespace, "-xadd");
    await ours.create("x1");
    expect((await rejection(reaction.closed)).message).toContain("NOPERM xadd");
    expect(lines.join()).toContain("of reaction r");
    await reaction.close();
  });

  it("makes its group anew where that is gone, and handles all that the log holds", async () => {
    const { list, namespace } = await replicas(1);
    const [ours] = list;
    const met: string[] = [];
    await reacting(ours, (change) => void met.push(nameOf(change)));
    await ours.create("x1");
    await expect.poll(() => met).toEqual(["x1@1"]);
    await (await admin()).del(`{${namespace}:0}:dial:events`);
    await ours.create("x2");
    await expect.poll(() => met).toEqual(["x1@1", "x2@1"]);
  });

  it("tells of events that were trimmed before anyone handled them, and keeps that among the dead letters", async () => {
    const { list, namespace } = await replicas(1);
    const [ours] = list;
    await (await reacting(ours, () => {})).close();
    for (let n = 0; n < 10; n++) await ours.create(`x${n}`);
    await (await admin()).xtrim(`{${namespace}:0}:dial:events`, "MAXLEN", 4);
    const missed: MissedEvents[] = [];
    const met: string[] = [];
    await reacting(ours, (change) => void met.push(nameOf(change)), {
      onMissed: (one) => void missed.push(one),
    });
    await expect.poll(() => met.length).toBe(4);
    expect(met).toEqual(["x6@1", "x7@1", "x8@1", "x9@1"]);
    expect(missed).toMatchObject([{ partition: 0, from: "0-0" }]);
    const dead = await (await admin()).xrange(keyOf(namespace, "dead"), "-", "+");
    expect(dead.map(([, fields]) => fields.slice(0, 2))).toEqual([["lost", "0-0"]]);
  });

  it("tells of them where nothing at all is left, once", async () => {
    const { list, namespace } = await replicas(1);
    const [ours] = list;
    await (await reacting(ours, () => {})).close();
    await ours.create("x1");
    await (await admin()).xtrim(`{${namespace}:0}:dial:events`, "MAXLEN", 0);
    const missed: MissedEvents[] = [];
    const met: string[] = [];
    await reacting(ours, (change) => void met.push(nameOf(change)), {
      onMissed: (one) => void missed.push(one),
    });
    await expect.poll(() => missed.length).toBe(1);
    await ours.create("x2");
    await expect.poll(() => met).toEqual(["x2@1"]);
    expect(missed).toHaveLength(1);
  });

  it("tells nothing where only what was handled is gone", async () => {
    const { list, namespace } = await replicas(1);
    const [ours] = list;
    const met: string[] = [];
    const missed: MissedEvents[] = [];
    const options = { onMissed: (one: MissedEvents) => void missed.push(one) };
    const first = await reacting(ours, (change) => void met.push(nameOf(change)), options);
    for (let n = 0; n < 5; n++) await ours.create(`x${n}`);
    await expect.poll(() => met.length).toBe(5);
    await first.close();
    await (await admin()).xtrim(`{${namespace}:0}:dial:events`, "MAXLEN", 0);
    await ours.create("x5");
    await reacting(ours, (change) => void met.push(nameOf(change)), options);
    await expect.poll(() => met.length).toBe(6);
    expect(missed).toEqual([]);
  });
});
