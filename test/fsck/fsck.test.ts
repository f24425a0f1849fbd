import type { Valkey } from "iovalkey";
import { describe, expect, it } from "vitest";
import { admin } from "../helpers/calls.js";
import { type TicketFixture, ticketFixture } from "../helpers/fsck.js";

interface Damage {
  /** Causes the damage. */
  readonly plant: (
    valkey: Valkey,
    at: (id: string, rest: string) => string,
    fixture: TicketFixture,
  ) => Promise<unknown>;
  /** The expected findings, each as `kind id`. */
  readonly findings: readonly string[];
  /** Those that `repair` fixes. */
  readonly repairable?: readonly string[];
  readonly deep?: true;
}

const HOUR = 3_600_000;

/** Damage that is repaired from the entity or the event log. */
const repairable: Record<string, Damage> = {
  "an index entry without an entity": {
    plant: (valkey, at) => valkey.zadd(at("gone", "index"), 10_000_000_000_000, "gone"),
    findings: ["index-orphan gone"],
  },
  "an index entry of a removed entity": {
    plant: (valkey, at) => valkey.zadd(at("a5", "index"), 5, "a5"),
    findings: ["index-orphan a5"],
  },
  "an index entry with an invalid id": {
    plant: (valkey, at) => valkey.zadd(at("a1", "index"), 5, "no {id}*\n"),
    findings: ["index-orphan no {id}*\n"],
  },
  "an entity without an index entry": {
    plant: (valkey, at) => valkey.zrem(at("a2", "index"), "a2"),
    findings: ["index-missing a2"],
  },
  "an index entry of another state": {
    plant: (valkey, at) => valkey.zincrby(at("a2", "index"), 10_000_000_000_000, "a2"),
    findings: ["index-score a2"],
  },
  "an index entry of another age": {
    plant: (valkey, at) => valkey.zincrby(at("a2", "index"), -1, "a2"),
    findings: ["index-score a2"],
  },
  "an index entry with a score of no state": {
    plant: (valkey, at) => valkey.zadd(at("a2", "index"), "-inf", "a2"),
    findings: ["index-score a2"],
  },
  "a timer without an entity": {
    plant: (valkey, at) => valkey.zadd(at("gone", "due"), 1, "gone"),
    findings: ["due-orphan gone"],
  },
  "a timer of an entity whose state has none": {
    plant: (valkey, at) => valkey.zadd(at("a2", "due"), 1, "a2"),
    findings: ["due-extra a2"],
  },
  "a missing timeout": {
    plant: (valkey, at) => valkey.zrem(at("a1", "due"), "a1"),
    findings: ["due-missing a1"],
  },
  "a missing lease": {
    plant: (valkey, at) => valkey.zrem(at("a3", "due"), "a3"),
    findings: ["due-missing a3"],
  },
  "a missing retention": {
    plant: (valkey, at) => valkey.zrem(at("a4", "due"), "a4"),
    findings: ["due-missing a4"],
  },
  "a timeout at another time": {
    plant: (valkey, at) => valkey.zincrby(at("a1", "due"), 1, "a1"),
    findings: ["due-time a1"],
  },
  "a lease that does not follow from its last renewal": {
    plant: (valkey, at) =>
      setTimes(valkey, at("a3", "id:a3"), ([changed, entered]) => [changed, entered, entered + 5]),
    findings: ["due-time a3"],
  },
  "a lease that ends later than any renewal could make it": {
    plant: (valkey, at) => valkey.zincrby(at("a3", "due"), HOUR, "a3"),
    findings: ["due-time a3"],
  },
  "a lease that ends before its first": {
    plant: (valkey, at) => valkey.zincrby(at("a3", "due"), -1, "a3"),
    findings: ["due-time a3"],
  },
  "a log of a removed entity": {
    plant: (valkey, at) => valkey.rpush(at("a5", "log:a5"), "{}"),
    findings: ["log-orphan a5"],
  },
  "a log of an entity that never existed": {
    plant: (valkey, at) => valkey.rpush(at("gone", "log:gone"), "{}"),
    findings: ["log-orphan gone"],
    deep: true,
  },
  "an entity without a log": {
    plant: (valkey, at) => valkey.del(at("a2", "log:a2")),
    findings: ["log-missing a2"],
  },
  "a missing index and missing timers": {
    plant: async (valkey, at) => {
      for (const id of ["a1", "a2", "a3", "a4"]) {
        await valkey.del(at(id, "index"), at(id, "due"));
      }
    },
    findings: [1, 2, 3, 4].flatMap((n) => [`index-missing a${n}`, ...(n === 2 ? [] : [`due-missing a${n}`])]),
  },
};

/** Damage that cannot be repaired without inventing data: it is reported and stays. */
const manual: Record<string, Damage> = {
  "a missing log of which the event log lacks a change": {
    plant: async (valkey, at) => {
      await valkey.del(at("a2", "log:a2"));
      await valkey.xdel(at("a2", "events"), await entryOf(valkey, at("a2", "events"), "a2", 1));
    },
    findings: ["log-missing a2"],
  },
  "a log with more changes than it keeps": {
    plant: async (valkey, at, { tickets }) => {
      for (let n = 0; n < 39; n++) await tickets.patch("a1", { set: { n } }); // version 40 trims to 32
      const [first = ""] = await valkey.lrange(at("a1", "log:a1"), 0, 0);
      for (let version = 8; version > 0; version--) {
        const record = { ...JSON.parse(first), type: "ticket.updated", version };
        await valkey.lpush(at("a1", "log:a1"), "", JSON.stringify(record));
      }
    },
    findings: ["log-long a1"],
  },
  "a log without its last change": {
    plant: (valkey, at) => valkey.rpop(at("a2", "log:a2"), 2),
    findings: ["log-differs a2", "log-short a2"],
  },
  "a log without its first change": {
    plant: (valkey, at) => valkey.lpop(at("a2", "log:a2"), 2),
    findings: ["log-short a2"],
  },
  "a gap in a log": {
    plant: async (valkey, at, { tickets }) => {
      for (let n = 0; n < 8; n++) await tickets.patch("a1", { set: { n } });
      const elements = await valkey.lrange(at("a1", "log:a1"), 0, -1);
      await valkey.del(at("a1", "log:a1"));
      await valkey.rpush(at("a1", "log:a1"), ...elements.toSpliced(6, 2));
    },
    findings: ["log-gap a1", "log-short a1"],
  },
  "an entry of a log that is not a change": {
    plant: (valkey, at) => valkey.lset(at("a2", "log:a2"), 0, "no JSON"),
    findings: ["log-broken a2"],
  },
  "a state that was written by hand": {
    plant: async (valkey, at) => {
      await valkey.hset(at("a2", "id:a2"), "state", "shut");
    },
    findings: ["due-missing a2", "event-differs a2", "index-score a2", "log-differs a2"],
    repairable: ["due-missing a2", "index-score a2"],
  },
  "a version that was written by hand": {
    plant: (valkey, at) => valkey.hset(at("a2", "id:a2"), "version", 7),
    findings: ["event-lost a2", "log-differs a2", "log-short a2"],
  },
  "a version that was set back": {
    plant: (valkey, at) => valkey.hset(at("a2", "id:a2"), "version", 1),
    findings: ["event-extra a2", "log-differs a2"],
  },
  "an own field with another value": {
    plant: (valkey, at) => valkey.hset(at("a2", "id:a2"), "n", "3"),
    findings: ["event-differs a2"],
  },
  "an own field that is missing": {
    plant: (valkey, at) => valkey.hdel(at("a2", "id:a2"), "n"),
    findings: ["event-differs a2"],
  },
  "an own field that no change wrote": {
    plant: (valkey, at) => valkey.hset(at("a2", "id:a2"), "other", "1"),
    findings: ["event-differs a2"],
  },
  "a log that was rewritten with its entity": {
    plant: async (valkey, at) => {
      const last = String(await valkey.lindex(at("a2", "log:a2"), -2));
      await valkey.lset(at("a2", "log:a2"), -2, last.replace('"n":2', '"n":3'));
      await valkey.hset(at("a2", "id:a2"), "n", 3);
    },
    findings: ["event-differs a2"],
  },
  "an entity that vanished": {
    plant: (valkey, at) => valkey.del(at("a2", "id:a2")),
    findings: ["entity-lost a2", "index-orphan a2", "log-orphan a2"],
    repairable: ["index-orphan a2"],
  },
  "an entity that came back after its removal": {
    plant: async (valkey, at, { tickets }) => {
      await valkey.copy(at("a2", "id:a2"), at("a2", "id:kept"));
      await valkey.copy(at("a2", "log:a2"), at("a2", "log:kept"));
      await tickets.remove("a2");
      await valkey.rename(at("a2", "id:kept"), at("a2", "id:a2"));
      await valkey.rename(at("a2", "log:kept"), at("a2", "log:a2"));
    },
    findings: ["event-lost a2", "index-missing a2"], // the index has a tombstone
    repairable: ["index-missing a2"],
  },
  "an entity that is in no log and no index": {
    plant: async (valkey, at) => {
      await valkey.hset(at("raw", "id:raw"), await valkey.hgetall(at("a2", "id:a2")));
    },
    findings: ["event-lost raw", "index-missing raw", "log-missing raw"],
    repairable: ["index-missing raw"],
    deep: true,
  },
  "a missing last event": {
    plant: async (valkey, at) => {
      await valkey.xdel(at("a2", "events"), await entryOf(valkey, at("a2", "events"), "a2", 2));
    },
    findings: ["event-lost a2"],
  },
  "a missing event in the middle": {
    plant: async (valkey, at, { tickets }) => {
      await tickets.patch("a2", { set: { n: 9 } });
      await valkey.xdel(at("a2", "events"), await entryOf(valkey, at("a2", "events"), "a2", 2));
    },
    findings: ["event-gap a2"],
  },
  "an event of a change that never happened": {
    plant: async (valkey, at) => {
      const document = {
        type: "ticket.shut",
        machine: "ticket",
        id: "a2",
        from: "held",
        state: "shut",
        version: 3,
      };
      const times = { timestamp: "x", since: "x", createdAt: "x" };
      await valkey.xadd(at("a2", "events"), "*", "doc", JSON.stringify({ ...document, ...times }));
    },
    findings: ["event-extra a2"],
  },
  "a duplicate event": {
    plant: async (valkey, at) => {
      const entry = await entryOf(valkey, at("a2", "events"), "a2", 2);
      const [[, fields = []] = ["", []]] = await valkey.xrange(at("a2", "events"), entry, entry);
      await valkey.xadd(at("a2", "events"), "*", ...fields);
    },
    findings: ["event-gap a2"],
  },
  "an entry of the event log that is not a change": {
    plant: (valkey, at) => valkey.xadd(at("a2", "events"), "*", "doc", "[]"),
    findings: ["event-broken "],
  },
  "a state that the machine does not have": {
    plant: (valkey, at) => valkey.hset(at("a2", "id:a2"), "state", "constructor"),
    findings: ["event-differs a2", "log-differs a2", "state-unknown a2"],
  },
  "a missing internal field": {
    plant: (valkey, at) => valkey.hdel(at("a2", "id:a2"), "ops:forgot"),
    findings: ["hash-field a2"],
  },
  "a malformed internal field": {
    plant: (valkey, at) => valkey.hset(at("a2", "id:a2"), "ops:forgot", "x"),
    findings: ["hash-field a2"],
  },
  "a state entered after the last change": {
    plant: (valkey, at) => setTimes(valkey, at("a2", "id:a2"), ([changed]) => [changed, changed + 1, 0]),
    findings: ["event-differs a2", "hash-field a2", "index-score a2"],
    repairable: ["index-score a2"],
  },
  "an own field with an invalid name": {
    plant: (valkey, at) => valkey.hset(at("a2", "id:a2"), "not a name", "1"),
    findings: ["event-differs a2", "hash-field a2"],
  },
  ...Object.fromEntries(
    Object.entries({
      "not JSON": { value: "nan", others: [] },
      "lax JSON": { value: "01", others: [] },
      "half a surrogate pair": { value: '"\\ud800"', others: ["event-differs a2"] },
      "not UTF-8": { value: Buffer.from([0x22, 0xff, 0x22]), others: ["event-differs a2"] },
    }).map(([name, { value, others }]) => [
      `an own value that is ${name}`,
      {
        plant: (valkey: Valkey, at: (id: string, rest: string) => string) =>
          valkey.hset(at("a2", "id:a2"), "n", value),
        findings: [...others, "hash-field a2"],
      } satisfies Damage,
    ]),
  ),
  "an entity of another type": {
    plant: async (valkey, at) => {
      await valkey.del(at("a2", "id:a2"));
      await valkey.set(at("a2", "id:a2"), "text");
    },
    findings: ["key-type a2"],
  },
  "a log of another type": {
    plant: async (valkey, at) => {
      await valkey.del(at("a2", "log:a2"));
      await valkey.set(at("a2", "log:a2"), "text");
    },
    findings: ["key-type a2"],
  },
  "timers of another type": {
    plant: async (valkey, at) => {
      await valkey.del(at("a2", "due"));
      await valkey.set(at("a2", "due"), "text");
    },
    findings: ["key-type "],
  },
  "a stream of another type": {
    plant: async (valkey, at) => {
      await valkey.del(at("a2", "events"));
      await valkey.set(at("a2", "events"), "text");
    },
    findings: ["key-type "],
  },
  "an index of another type": {
    plant: async (valkey, at) => {
      await valkey.del(at("a2", "index"));
      await valkey.set(at("a2", "index"), "text");
    },
    findings: ["key-type "],
  },
};

type TimesMs = [changed: number, entered: number, renewed: number];

async function setTimes(valkey: Valkey, key: string, change: (times: TimesMs) => TimesMs): Promise<void> {
  const times = String(await valkey.hget(key, "times:ms"))
    .split(" ")
    .map(Number) as TimesMs;
  await valkey.hset(key, "times:ms", change(times).join(" "));
}

async function entryOf(valkey: Valkey, stream: string, id: string, version: number): Promise<string> {
  for (const [entry, [, document = ""]] of await valkey.xrange(stream, "-", "+")) {
    const change = JSON.parse(document);
    if (change.id === id && change.version === version) return entry;
  }
  throw new Error(`The stream has no version ${version} of ${id}`);
}

async function plant(partitions: number, damage: Damage): Promise<TicketFixture> {
  const fixture = await ticketFixture(partitions);
  await damage.plant(await admin(), (id, rest) => fixture.key(id, rest), fixture);
  return fixture;
}

const withResult = (findings: readonly string[], result: string): string[] =>
  findings.map((one) => `${one} ${result}`);

describe.each([1, 4])("with %i partitions, fsck", (partitions) => {
  it("finds nothing in an undamaged namespace", async () => {
    const fixture = await ticketFixture(partitions);
    expect(await fixture.fsck({ deep: true, strict: true })).toEqual({
      findings: [],
      checked: { partitions, skipped: 0, entities: 4, events: 9 },
    });
  });

  it("accepts tombstones of removed ids, with and without an event that names the id", async () => {
    const fixture = await ticketFixture(partitions);
    for (const id of ["a5", "gone"]) await (await admin()).zadd(fixture.key(id, "index"), -1024, id);
    expect(await fixture.fsck({ deep: true, strict: true })).toMatchObject({
      findings: [],
      checked: { entities: 4 },
    });
  });

  it.each(Object.entries(repairable))("finds and repairs %s", async (_, damage) => {
    const fixture = await plant(partitions, damage);
    const options = { deep: damage.deep ?? false };
    const findings = [...damage.findings].sort();
    expect(await fixture.results(options)).toEqual(withResult(findings, "repairable"));
    expect(await fixture.results({ ...options, repair: true })).toEqual(withResult(findings, "repaired"));
    expect(await fixture.results({ deep: true })).toEqual([]);
  });

  it.each(Object.entries(manual))("finds %s, and does not invent data", async (_, damage) => {
    const fixture = await plant(partitions, damage);
    const valkey = await admin();
    const options = { deep: damage.deep ?? false };
    const hash = fixture.key("a2", "id:a2");
    const before = [await valkey.type(hash), await valkey.dump(hash)];
    const repairs = damage.repairable ?? [];
    const rest = damage.findings.filter((one) => !repairs.includes(one));
    expect(await fixture.results(options)).toEqual(
      [...withResult(repairs, "repairable"), ...withResult(rest, "manual")].sort(),
    );
    await fixture.results({ ...options, repair: true });
    expect([await valkey.type(hash), await valkey.dump(hash)]).toEqual(before);
    expect(await fixture.results(options)).toEqual(withResult(rest, "manual").sort());
  });
});
