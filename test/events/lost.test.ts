import { createHash } from "node:crypto";
import type { Valkey } from "iovalkey";
import { describe, expect, it } from "vitest";
import { ContractError, type Entities, type EventsOptions, GapError } from "../../src/index.js";
import { timeMs } from "../../src/valkey/server-clock.js";
import { admin, connection } from "../helpers/calls.js";
import { all, client, rejectionOf } from "../helpers/client.js";
import { type DialState, dial } from "../helpers/dial.js";
import { subscribed } from "../helpers/subscribed.js";

interface Log {
  readonly namespace: string;
  readonly list: Entities<DialState>;
  readonly key: string;
  readonly valkey: Valkey;
}

/** Creates `count` dials in one partition. */
async function dials(count: number): Promise<Log> {
  const home = await client();
  const list = await home.machine(dial);
  for (let n = 0; n < count; n++) await list.create(`x${n}`);
  return { namespace: home.namespace, list, key: `{${home.namespace}:0}:dial:events`, valkey: await admin() };
}

/** Reads to the end of the log, and returns the cursor there. */
async function cursorAtEnd(list: Entities<DialState>): Promise<string> {
  const log = list.events({ after: "start", follow: false });
  await all(log);
  return log.cursor ?? "";
}

async function idsAfter(list: Entities<DialState>, after: EventsOptions["after"]): Promise<string[]> {
  return (await all(list.events({ ...(after !== undefined && { after }), follow: false }))).map(
    ({ id }) => id,
  );
}

type Entry = readonly [id: string, text: string];

async function entriesOf({ valkey, key }: Log): Promise<Entry[]> {
  return (await valkey.xrange(key, "-", "+")).map(([id, fields]) => [id, fields[1] ?? ""]);
}

/** Replaces the log in one step, as a failover to a server with other data does. */
async function failOver({ valkey, key }: Log, entries: readonly Entry[]): Promise<void> {
  const change = valkey.multi().del(key);
  for (const [id, text] of entries) change.xadd(key, id, "doc", text);
  await change.exec();
}

/** Returns the entries, of which those from `from` on are of other entities. */
function reused(entries: readonly Entry[], from: number): Entry[] {
  return entries.map(([id, text], n) => [id, n < from ? text : text.replace(/"id":"x/, '"id":"other')]);
}

describe("a cursor that was returned with a change", () => {
  it("names the entry, and the first eight hexadecimal digits of the SHA-1 of its document", async () => {
    const log = await dials(2);
    const [id = "", text = ""] = (await entriesOf(log)).at(-1) ?? [];
    const digest = createHash("sha1").update(text).digest("hex").slice(0, 8);
    expect(await cursorAtEnd(log.list)).toBe(`${id}@${digest}`);
  });

  it("is a gap if another change has the ID of its entry", async () => {
    const log = await dials(4);
    const cursor = await cursorAtEnd(log.list);
    const entries = await entriesOf(log);
    await failOver(log, reused(entries, 2));
    await log.list.create("later");
    const error = await rejectionOf(GapError, idsAfter(log.list, cursor));
    expect(error).toMatchObject({ code: "GAP", reason: "lost", cursor: "0-0" });
    expect(error.message).toBe(
      `the event log of dial does not contain ${cursor}: changes were lost, or the cursor is of another log; ` +
        "list the entities again, then continue after 0-0",
    );
    expect(await idsAfter(log.list, error.cursor)).toEqual(["x0", "x1", "other2", "other3", "later"]);
  });

  it("is a gap if the log lost its entry, whether or not there are later ones", async () => {
    const log = await dials(4);
    const cursor = await cursorAtEnd(log.list);
    await failOver(log, (await entriesOf(log)).slice(0, 2));
    expect(await rejectionOf(GapError, idsAfter(log.list, cursor))).toMatchObject({ reason: "lost" });
    await log.list.create("later");
    expect(await rejectionOf(GapError, idsAfter(log.list, cursor))).toMatchObject({ reason: "lost" });
  });

  it("is a gap if the log is gone", async () => {
    const log = await dials(1);
    const cursor = await cursorAtEnd(log.list);
    await log.valkey.del(log.key);
    const error = await rejectionOf(GapError, idsAfter(log.list, cursor));
    expect(error).toMatchObject({ reason: "lost", cursor: "0-0" });
  });

  it("is a gap in the log of another machine", async () => {
    const log = await dials(1);
    const other = await (await client()).machine({ ...dial, name: "knob" });
    await other.create("x0");
    await log.list.create("x1");
    expect(await rejectionOf(GapError, idsAfter(other, await cursorAtEnd(log.list)))).toMatchObject({
      reason: "lost",
    });
  });

  it("is a gap with the reason trimmed if its entry was trimmed", async () => {
    const log = await dials(3);
    const cursor = await cursorAtEnd(log.list);
    await log.list.create("x3");
    await log.list.create("x4");
    await log.valkey.xtrim(log.key, "MAXLEN", 1);
    const error = await rejectionOf(GapError, idsAfter(log.list, cursor));
    expect(error.reason).toBe("trimmed");
    expect(await idsAfter(log.list, error.cursor)).toEqual(["x4"]);
  });
});

describe("a cursor that is only a position", () => {
  it("can be between two entries", async () => {
    const { list, valkey } = await dials(3);
    expect(await idsAfter(list, "0-1")).toEqual(["x0", "x1", "x2"]);
    const changes = await all(list.events({ after: "start", follow: false }));
    const [firstMs = 0, ...laterMs] = changes.map(({ timestamp }) => Date.parse(timestamp));
    await expect.poll(async () => timeMs(await valkey.time())).toBeGreaterThan(firstMs);
    await list.create("x3"); // in a later millisecond
    const later = ["x1", "x2"].filter((_, at) => (laterMs[at] ?? 0) > firstMs);
    expect(await idsAfter(list, `${firstMs}-9000`)).toEqual([...later, "x3"]);
  });

  it("can be between two entries if only earlier ones were trimmed", async () => {
    const log = await dials(4);
    const [[id = ""] = []] = (await entriesOf(log)).slice(3);
    const ms = Number(id.split("-")[0]);
    await expect.poll(async () => Number((await log.valkey.time())[0]) * 1000 > ms).toBe(true);
    await log.list.create("x4"); // in a later millisecond
    await log.valkey.xtrim(log.key, "MAXLEN", 3);
    expect(await idsAfter(log.list, id)).toEqual(["x4"]);
    expect(await idsAfter(log.list, `${id}1`)).toEqual(["x4"]);
  });

  it("is a gap if it is after the end of the log", async () => {
    const { list } = await dials(3);
    const error = await rejectionOf(GapError, idsAfter(list, "9999999999999-0"));
    expect(error).toMatchObject({ reason: "lost", cursor: "0-0" });
  });

  it("is a gap if changes after it were trimmed", async () => {
    const log = await dials(5);
    const [[id = ""] = []] = await entriesOf(log);
    await log.valkey.xtrim(log.key, "MAXLEN", 2);
    expect(await rejectionOf(GapError, idsAfter(log.list, id))).toMatchObject({ reason: "trimmed" });
  });
});

describe("a time", () => {
  it("starts at the first change at or after it, as text and as a Date", async () => {
    const { list } = await dials(3);
    const [, second] = await all(list.events({ after: "start", follow: false }));
    const timestamp = second?.timestamp ?? "";
    for (const after of [timestamp, timestamp.replace("Z", "+00:00"), new Date(timestamp)]) {
      const ids = await idsAfter(list, after);
      expect(ids.slice(-2)).toEqual(["x1", "x2"]);
    }
    expect(await idsAfter(list, new Date(0))).toEqual(["x0", "x1", "x2"]);
  });

  it("after the newest change starts at the end", async () => {
    const { list } = await dials(1);
    const log = list.events({ after: "9999-01-01T00:00:00Z", follow: false });
    expect(await all(log)).toEqual([]);
    expect(log.cursor).toBe(await cursorAtEnd(list));
  });

  it("is a gap if changes after it were trimmed", async () => {
    const log = await dials(3);
    await log.valkey.xtrim(log.key, "MAXLEN", 1);
    expect(await rejectionOf(GapError, idsAfter(log.list, new Date(0)))).toMatchObject({ reason: "trimmed" });
  });

  it.each([new Date(Number.NaN), new Date(-1), "2026-11-30T12:00:00", "2026-13-30T12:00:00Z", "1-0@9f86d08"])(
    "must be valid: %s is rejected",
    async (after) => {
      const { list } = await dials(0);
      expect(() => list.events({ after })).toThrow(ContractError);
    },
  );
});

describe("a reader that follows the log across a failover that lost changes", () => {
  /** Follows the log until the error that ends it; `isReading` is true as soon as it has returned `count` changes. */
  function following(list: Entities<DialState>, count: number) {
    const ids: string[] = [];
    const ended = rejectionOf(
      GapError,
      (async () => {
        for await (const { id } of list.events({ after: count === 0 ? "end" : "start" })) ids.push(id);
      })(),
    );
    return { ids, ended };
  }

  it("gets an error if the new log gave the ID to another change", async () => {
    const log = await dials(3);
    const { ids, ended } = following(log.list, 3);
    await expect.poll(() => ids).toEqual(["x0", "x1", "x2"]);
    await failOver(log, reused(await entriesOf(log), 1));
    await (await connection()).call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    expect(await ended).toMatchObject({ reason: "lost" });
    expect(ids).toEqual(["x0", "x1", "x2"]);
  });

  it("gets an error if it has waited at the end of the log, from which it had read nothing", async () => {
    const log = await dials(3);
    const { ids, ended } = following(log.list, 0);
    await expect.poll(() => subscribed(log.valkey, log.namespace, "dial")).toBe(1);
    await failOver(log, reused(await entriesOf(log), 1));
    await log.list.create("later");
    expect(await ended).toMatchObject({ reason: "lost" });
    expect(ids).toEqual([]);
  });

  it("waits for an entity by reading it again", async () => {
    const log = await dials(2);
    const waiting = log.list.waitFor("x0", "b");
    await expect.poll(() => subscribed(log.valkey, log.namespace, "dial")).toBe(1);
    await log.valkey.hset(log.key.replace("dial:events", "dial:id:x0"), "state", "b");
    await failOver(log, reused(await entriesOf(log), 1));
    await log.list.create("later");
    expect(await waiting).toMatchObject({ id: "x0", state: "b" });
  });
});
