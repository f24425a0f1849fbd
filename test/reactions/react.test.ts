import { describe, expect, it } from "vitest";
import { ContractError, type MissedEvents, NotExecutedError } from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { agents, all, client, rejection, rejectionOf } from "../helpers/client.js";
import { dial } from "../helpers/dial.js";
import { gate, keyOf, nameOf, reacting, replicas } from "../helpers/reactions.js";
import { recordingLogger } from "../helpers/secrets.js";
import { useValkey } from "../helpers/valkey.js";

describe("a reaction", () => {
  it("handles changes from its start on, each once, as the document that the caller got", async () => {
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

  it("begins at the start of the log if requested, and continues at its position later", async () => {
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

  it.each([4, 0])(
    "begins at the oldest of %d entries of a trimmed log and reports nothing as missed",
    async (kept) => {
      const { list, namespace } = await replicas(1);
      const [ours] = list;
      for (let n = 0; n < 10; n++) await ours.create(`x${n}`);
      await (await admin()).xtrim(`{${namespace}:0}:dial:events`, "MAXLEN", kept);
      const met: string[] = [];
      const missed: MissedEvents[] = [];
      await reacting(ours, (change) => void met.push(nameOf(change)), {
        from: "start",
        onMissed: (one) => void missed.push(one),
      });
      await ours.create("x10");
      await expect.poll(() => met.at(-1)).toBe("x10@1");
      expect(met).toEqual(["x6@1", "x7@1", "x8@1", "x9@1", "x10@1"].slice(4 - kept));
      expect(missed).toEqual([]);
      expect(await all(ours.deadLetters("r"))).toEqual([]);
      await expect.poll(() => ours.reactions()).toMatchObject([{ lag: 0, pending: 0 }]);
    },
  );

  it("handles only the events in its list, over all partitions", async () => {
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

  it("skips thousands of events outside its list and handles the next one in it", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    for (let first = 0; first < 2000; first += 100)
      await Promise.all(Array.from({ length: 100 }, (_, n) => ours.create(`x${first + n}`)));
    await ours.transition("x0", "b");
    const met: string[] = [];
    await reacting(ours, (change) => void met.push(nameOf(change)), { on: ["dial.b"], from: "start" });
    await expect.poll(() => met).toEqual(["x0@2"]);
  });

  it("runs up to `concurrency` handlers at once, each for another entity", async () => {
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

  it("waits for running handlers when it is closed, and takes no more events", async () => {
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

  it("is stopped by its signal, which aborts handlers; their events are handled again without a failed attempt", async () => {
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

  it("does not count an attempt that the closing of latchkey interrupted", async () => {
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

  it("counts only the attempts that failed before a stop", async () => {
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

  it("ends with latchkey, and does nothing if its signal was aborted before", async () => {
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
      String(await (await admin()).client("LIST")).match(/name=latchkey-subscribe/g)?.length ?? 0;
    const { list } = await replicas(1);
    const before = await open();
    for (let n = 0; n < 3; n++) await (await list[0].react("r", () => {})).close();
    await expect.poll(open).toBe(before);
  });

  it.each([
    ["an invalid name", "Clean Up", {}, "reaction"],
    ["an unknown event", "r", { on: ["dial.bb"] }, 'on: unknown event "dial.bb"; did you mean "dial.b"?'],
    ["an invalid position", "r", { from: "0-0" }, 'from must be "start" or "end"'],
    ["a concurrency of 0", "r", { concurrency: 0 }, "concurrency must be a whole number from 1"],
    ["no attempts", "r", { deadLetterAfter: 0 }, "deadLetterAfter must be"],
    ["an invalid handlerTimeout", "r", { handlerTimeout: 0.5 }, "handlerTimeout: invalid duration 0.5"],
    ["an invalid delay", "r", { retries: { first: "soon" } }, 'retries.first: invalid duration "soon"'],
    ["a takeOverAfter of more than a day", "r", { takeOverAfter: "2d" }, "takeOverAfter must be at most 1d"],
    [
      "a misspelt option",
      "r",
      { deadLetterAftr: 3 },
      'unknown option "deadLetterAftr"; did you mean "deadLetterAfter"?',
    ],
    ["null as options", "r", null, "options must be an object"],
    ["an event instead of a list", "r", { on: "dial.b" }, "on must be a list of events, not text"],
    ["a number instead of a list", "r", { on: 3 }, "on must be a list of events"],
    ["a number as event", "r", { on: [3] }, "on: unknown event 3; dial has dial."],
    ["a number of retries", "r", { retries: 3 }, "retries must be an object (of first, longest)"],
    [
      "a misspelt delay",
      "r",
      { retries: { frist: "1s" } },
      'unknown option "frist" in retries; did you mean "first"?',
    ],
    [
      "a first delay over the longest",
      "r",
      { retries: { first: "5m" } },
      "retries.first (5m) is more than retries.longest (1m)",
    ],
    ["a controller as signal", "r", { signal: new AbortController() }, "signal must be an AbortSignal"],
    ["an onMissed that is not a function", "r", { onMissed: "log" }, "onMissed must be a function"],
  ])("rejects %s", async (_, name, options, text) => {
    const list = await (await client()).machine(dial);
    const error = await rejectionOf(
      ContractError,
      list.react(name, () => {}, options as object),
    );
    expect(error.message).toContain(text);
  });

  it("rejects a handler that is not a function", async () => {
    const list = await (await client()).machine(dial);
    const error = await rejectionOf(ContractError, list.react("r", undefined as never));
    expect(error.message).toBe("the handler must be a function; it is called with each change");
  });
});

describe("a reaction with a problem", () => {
  it("rejects at once if the user lacks permissions", async () => {
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

  it("ends with the error in `closed` if it loses permissions", async () => {
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
    expect(lines.join()).toContain('"reaction":"r"');
    await reaction.close();
  });

  it("creates its group again if it is gone, and handles all events in the log", async () => {
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

  it("reports events that were trimmed before they were handled, also as a dead letter", async () => {
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

  it("reports a gap once if the log is empty", async () => {
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

  it("reports no gap if only handled events were trimmed", async () => {
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
