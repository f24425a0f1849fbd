import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Change, connect, type Entities, type UnreadableEntry } from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { all, client } from "../helpers/client.js";
import { type DialState, dial } from "../helpers/dial.js";
import { AT_ONCE, gate, nameOf, reacting, replicas } from "../helpers/reactions.js";
import { recordingLogger } from "../helpers/secrets.js";
import { subscribed } from "../helpers/subscribed.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

const change = {
  type: "dial.b",
  machine: "dial",
  id: "x1",
  from: "a",
  state: "b",
  version: 2,
  timestamp: "2026-11-30T12:00:00.000Z",
  since: "2026-11-30T12:00:00.000Z",
  createdAt: "2026-11-30T12:00:00.000Z",
};

/** Entries that are not changes of the machine `dial`, and how a reader describes them. */
const UNREADABLE: readonly (readonly [problem: string, ...fields: string[]])[] = [
  ["no document", "foo", JSON.stringify(change)],
  ["not JSON", "doc", `{"type":"dial.b","machine":"dial","id":"x1","from":"a","lease":,"version":2}`],
  ["not a JSON object", "doc", "null"],
  ["not a JSON object", "doc", "5"],
  ["not a JSON object", "doc", "[]"],
  ["not a change of dial", "doc", "{}"],
  ["not a change of dial", "doc", JSON.stringify({ ...change, machine: "knob" })],
  ["not a change: version is missing or invalid", "doc", JSON.stringify({ ...change, version: "2" })],
  ["not a change: from is missing or invalid", "doc", JSON.stringify({ ...change, from: undefined })],
];

/** Creates x1, appends all unreadable entries, and creates x2. */
async function damaged(list: Entities<DialState>, namespace: string): Promise<string[]> {
  await list.create("x1");
  const ids: string[] = [];
  for (const [, ...fields] of UNREADABLE) {
    ids.push(String(await (await admin()).xadd(`{${namespace}:0}:dial:events`, "*", ...fields)));
  }
  await list.create("x2");
  return ids;
}

async function dials(): Promise<{ list: Entities<DialState>; namespace: string }> {
  const home = await client();
  return { list: await home.machine(dial), namespace: home.namespace };
}

describe("an entry of the event log that is not a change", () => {
  it("is reported once by events(), and skipped", async () => {
    const { list, namespace } = await dials();
    const entries = await damaged(list, namespace);
    const reports: UnreadableEntry[] = [];
    const onUnreadable = (unreadable: UnreadableEntry): void => void reports.push(unreadable);
    const log = list.events({ after: "start", follow: false, onUnreadable });
    expect((await all(log)).map(nameOf)).toEqual(["x1@1", "x2@1"]);
    expect(reports.map(({ problem }) => problem)).toEqual(UNREADABLE.map(([problem]) => problem));
    expect(reports.map(({ entry }) => entry)).toEqual(entries);
    expect(reports[1]).toEqual({
      partition: 0,
      entry: entries[1],
      text: UNREADABLE[1]?.[2],
      problem: "not JSON",
    });
    const rest = list.events({ after: log.cursor ?? "", follow: false, onUnreadable });
    expect(await all(rest)).toEqual([]);
    expect(reports).toHaveLength(UNREADABLE.length);
  });

  it("is part of the cursor, so that a reader that stops after it continues there", async () => {
    const { list, namespace } = await dials();
    await list.create("x1");
    await (await admin()).xadd(`{${namespace}:0}:dial:events`, "*", "doc", "null");
    const reports: string[] = [];
    const options = { follow: false, onUnreadable: ({ entry }: UnreadableEntry) => void reports.push(entry) };
    const log = list.events({ after: "start", ...options });
    await all(log);
    await list.create("x2");
    expect((await all(list.events({ after: log.cursor ?? "", ...options }))).map(nameOf)).toEqual(["x2@1"]);
    expect(reports).toHaveLength(1);
  });

  it("is skipped also if onUnreadable throws", async () => {
    const { logger, lines } = recordingLogger();
    const home = await client({ logger });
    const list = await home.machine(dial);
    await damaged(list, home.namespace);
    const onUnreadable = (): void => {
      throw new Error("no disk");
    };
    expect(await all(list.events({ after: "start", follow: false, onUnreadable }))).toHaveLength(2);
    expect(lines.join()).toContain("no disk");
  });

  it("is logged as a warning by default", async () => {
    const { logger, lines } = recordingLogger();
    const home = await client({ logger });
    const list = await home.machine(dial);
    const [entry = ""] = await damaged(list, home.namespace);
    await all(list.events({ after: "start", follow: false }));
    const warnings = lines.filter((line) => line.includes("skipped an unreadable entry of the event log"));
    expect(warnings).toHaveLength(UNREADABLE.length);
    expect(warnings[0]).toContain(entry);
  });

  it("is a process warning without a logger", async () => {
    const { url } = await useValkey();
    const home = await connect({ url, namespace: freshNamespace() });
    onTestFinished(() => home.close());
    const list = await home.machine(dial);
    await (await admin()).xadd(`{${home.namespace}:0}:dial:events`, "1-1", "doc", "null");
    const warned = once(process, "warning");
    await all(list.events({ after: "start", follow: false }));
    expect(await warned).toMatchObject([
      {
        code: "LATCHKEY_UNREADABLE",
        message: "skipped entry 1-1 (partition 0) of the event log of dial: not a JSON object",
      },
    ]);
  });

  it("does not end a wait", async () => {
    const { list, namespace } = await dials();
    await list.create("x3");
    const waiting = list.waitFor("x3", "b");
    const valkey = await admin();
    await expect.poll(() => subscribed(valkey, namespace, "dial")).toBe(1);
    await damaged(list, namespace);
    await list.transition("x3", "b");
    expect(nameOf((await waiting) as Change)).toBe("x3@2");
  });

  it("on the channel is not passed to a subscriber", async () => {
    const { list, namespace } = await dials();
    const met: string[] = [];
    const arrived = gate();
    const subscription = await list.subscribe((one) => {
      met.push(nameOf(one));
      arrived.open();
    });
    onTestFinished(() => subscription.close());
    for (const [, , text = ""] of UNREADABLE.slice(1))
      await (await admin()).publish(`${namespace}:dial:events`, text);
    await list.create("x1");
    await arrived.promise;
    expect(met).toEqual(["x1@1"]);
  });
});

describe("a reaction", () => {
  it.each([
    ["all events", undefined],
    ["some types of events", ["dial.a", "dial.b"]],
  ])("to %s makes each unreadable entry a dead letter and handles the others", async (_, on) => {
    const { list, namespace } = await replicas(1);
    const [ours] = list;
    const met: string[] = [];
    await reacting(ours, (one) => void met.push(nameOf(one)), {
      from: "start",
      retries: AT_ONCE,
      ...(on !== undefined && { on }),
    });
    const entries = await damaged(ours, namespace);
    await expect.poll(async () => (await all(ours.deadLetters("r"))).length).toBe(UNREADABLE.length);
    await expect.poll(() => met).toEqual(["x1@1", "x2@1"]);
    const letters = await all(ours.deadLetters("r"));
    expect(new Set(letters.map(({ error, text }) => `${error} ${text}`))).toEqual(
      new Set(UNREADABLE.map(([problem], n) => `unreadable entry ${entries[n]}: ${problem} null`)),
    );
    expect(letters.every(({ attempts }) => attempts === 1)).toBe(true);
    expect(await ours.deadLetters("r").retry(letters.map(({ id }) => id))).toEqual([]);
    expect(await ours.reactions()).toMatchObject([{ pending: 0, deadLetters: UNREADABLE.length }]);
    expect(await (await admin()).exists(`{${namespace}:0}:dial:reaction:r:held`)).toBe(0);
  });
});
