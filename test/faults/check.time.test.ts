import { describe, expect, it } from "vitest";
import { gatherTimed } from "../../faults/check/timed/facts.js";
import { timed } from "../../faults/check/timed/timed.js";
import { parseRecord } from "../../faults/history/parse.js";
import type { HistoryRecord } from "../../faults/history/records.js";
import { nameOf } from "../../faults/history/timed-records.js";
import { FAULT, iso, LEASE_MS, timedHistory, UNTIL_MS } from "./simulation/timed.js";

type Mutate = (records: HistoryRecord[]) => HistoryRecord[];
type Kind = HistoryRecord["kind"];
type Of<K extends Kind, R extends HistoryRecord = HistoryRecord> = R extends HistoryRecord
  ? K extends R["kind"]
    ? R
    : never
  : never;

async function rulesOf(records: readonly HistoryRecord[]): Promise<string[]> {
  const { byRule } = timed(await gatherTimed(records.map((record) => parseRecord(JSON.stringify(record)))));
  return Object.keys(byRule);
}

/** Replaces the only record of a kind that fits with what `change` returns. */
function replace<K extends Kind>(
  kind: K,
  fits: (record: Of<K>) => boolean,
  change: (record: Of<K>) => readonly HistoryRecord[],
): Mutate {
  return (records) => {
    const chosen = records.filter((record) => record.kind === kind && fits(record as Of<K>));
    expect(chosen).toHaveLength(1);
    return records.flatMap((record) => (record === chosen[0] ? change(record as Of<K>) : [record]));
  };
}

/** Changes an event of the log, and its identity in all records that refer to it. */
function event(id: string, version: number, change: (document: Record<string, unknown>) => object): Mutate {
  const isIt = (of: { readonly id: string; readonly version: number }): boolean =>
    of.id === id && of.version === version;
  return (records) => {
    const chosen = records.flatMap((one) => (one.kind === "final-event" ? [JSON.parse(one.document)] : []));
    const changed = { ...change(chosen.find(isIt)) };
    return records.map((one) => {
      if (one.kind === "final-event" && isIt(JSON.parse(one.document))) {
        return { ...one, document: JSON.stringify(changed) };
      }
      const speaks = one.kind === "fired" || one.kind === "handled";
      return speaks && isIt(one) ? { ...one, ...nameOf({ ...changed }) } : one;
    });
  };
}

const HISTORY = timedHistory();
/** Time of the last renewal of `left`. */
const RENEWED = 3_000;
const expiredAt = (at: number, from = at - LEASE_MS): ((document: object) => object) => {
  const reason = `lease of ${LEASE_MS / 1000}s expired at ${iso(from + LEASE_MS)}, last renewed at ${iso(from)}`;
  return (document) => ({ ...document, reason, timestamp: iso(at), since: iso(at) });
};
const ofLeft = ({ id }: { readonly id: string }): boolean => id === "left";

/** Mutations of the history, with the rules that must find them. */
const MUTATED: readonly (readonly [name: string, rule: string, mutate: Mutate])[] = [
  ["a lease that fired early", "lease", event("left", 3, expiredAt(4_900, RENEWED))],
  ["a lease that does not count from the last renewal", "lease", event("left", 3, expiredAt(4_900))],
  [
    "a lease that fired after another renewal",
    "lease",
    replace(
      "renewal",
      ({ id, at }) => id === "left" && at === RENEWED,
      (one) => [one, { ...one, at: 4_800, until: 4_801 }],
    ),
  ],
  [
    "a timeout that does not count from entering the state",
    "lease",
    event("late", 2, (document) => ({
      ...document,
      reason: String(document.reason).replace(/\S+$/, iso(999)),
    })),
  ],
  [
    "a final state that a lease overwrote",
    "lease",
    event("kept", 4, (document) => ({
      ...document,
      reason: `lease of 2s expired at ${iso(8_000)}, never renewed since ${iso(6_000)}`,
    })),
  ],
  [
    "an expiry in the log twice",
    "once lease order",
    replace(
      "final-event",
      ({ document }) => document.includes("shift.lost"),
      (one) => [one, { ...one, entry: `${one.entry}1` }],
    ),
  ],
  [
    "an expiry that two sweepers reported",
    "once",
    replace("fired", ofLeft, (one) => [one, { ...one, process: "sweeper-2" }]),
  ],
  [
    "a reported expiry that is not in the log",
    "once",
    replace("fired", ofLeft, (one) => [{ ...one, id: "nobody" }]),
  ],
  [
    "an overdue entity",
    "overdue",
    replace(
      "final-due",
      () => true,
      (one) => [{ ...one, score: UNTIL_MS }],
    ),
  ],
  [
    "an entity without its deadline",
    "overdue",
    replace(
      "final-due",
      () => true,
      () => [],
    ),
  ],
  [
    "a deadline later than the lease",
    "overdue",
    replace(
      "final-due",
      () => true,
      (one) => [{ ...one, score: one.score + 1 }],
    ),
  ],
  [
    "a deadline of an entity that does not exist",
    "overdue",
    replace(
      "final-entity",
      ({ id }) => id === "now",
      () => [],
    ),
  ],
  [
    "a stuck entity",
    "overdue",
    replace(
      "swept",
      () => true,
      (one) => [{ ...one, stuck: ["now"] }],
    ),
  ],
  [
    "no sweep at the end",
    "overdue",
    replace(
      "swept",
      () => true,
      () => [],
    ),
  ],
  [
    "an event that was never handled",
    "handled",
    (records) => records.filter((one) => one.kind !== "handled" || one.id !== "late" || one.version !== 2),
  ],
  [
    "an event whose handler never ended",
    "handled",
    replace(
      "handled",
      ({ id, version, step }) => id === "late" && version === 2 && step === "done",
      () => [],
    ),
  ],
  [
    "an event that began before the previous one was finished",
    "order",
    replace(
      "handled",
      ({ id, version, step }) => id === "kept" && version === 2 && step === "done",
      (one) => [{ ...one, at: one.at + 5_000 }],
    ),
  ],
  [
    "an event that began before an earlier dead letter",
    "order",
    (records) =>
      records.map((one) =>
        one.kind === "handled" && one.id === "left" && one.version === 2
          ? { ...one, at: one.at + 9_000 }
          : one,
      ),
  ],
  [
    "a handled event that was redelivered after later events",
    "order",
    (records) =>
      records.flatMap((one): HistoryRecord[] => {
        if (one.kind !== "handled" || one.id !== "kept") return [one];
        if (one.version > 2) return [{ ...one, process: "reactor-2" }];
        const isTwice = one.version === 2;
        return isTwice ? [one, { ...one, process: "reactor-2", at: one.at + 9_000, attempt: 2 }] : [one];
      }),
  ],
  [
    "a lost dead letter",
    "dead-letters",
    replace(
      "dead-letter",
      () => true,
      () => [],
    ),
  ],
  [
    "a dead letter with too few attempts",
    "dead-letters",
    replace(
      "dead-letter",
      () => true,
      (one) => [{ ...one, tries: 3 }],
    ),
  ],
  [
    "a dead letter twice",
    "dead-letters",
    replace(
      "dead-letter",
      () => true,
      (one) => [one, one],
    ),
  ],
  [
    "a dead letter without an event",
    "dead-letters",
    replace(
      "dead-letter",
      () => true,
      (one) => [{ ...one, document: null }],
    ),
  ],
  [
    "a holder that believes longer than its last confirmed lease",
    "holder",
    replace("held", ofLeft, (one) => [{ ...one, until: RENEWED + LEASE_MS + 200 }]),
  ],
  ["a holder that believes after the expiry", "lease holder", event("left", 3, expiredAt(4_600))],
  [
    "a holder without a confirmed renewal",
    "holder",
    (records) => records.filter((one) => one.kind !== "renewal" || one.id !== "left"),
  ],
  [
    "an acknowledged write after the loss",
    "fence",
    replace(
      "return",
      ({ outcome }) => outcome === "CONFLICT",
      (one) => [{ ...one, outcome: "OK", document: { ...facts(one), version: 3 } }],
    ),
  ],
  [
    "a rejected write after the loss that was applied",
    "fence",
    event("left", 3, (document) => ({ ...document, op: "left-patch" })),
  ],
  [
    "a write with an expected version that was applied to another one",
    "fence",
    replace(
      "call",
      ({ id, to }) => id === "kept" && to === "done",
      (one) => [{ ...one, ifVersion: 1 }],
    ),
  ],
];

function facts({ document }: Of<"return">): NonNullable<Of<"return">["document"]> {
  if (document === undefined) throw new Error("The call has no document");
  return document;
}

describe("a history of leases, sweepers and reactions", () => {
  it("passes if every guarantee holds", async () => {
    const report = timed(await gatherTimed(HISTORY));
    expect(report).toMatchObject({ violations: [], lost: [], losses: 1, expiries: 3, deadLetters: 1 });
  });

  it.each(MUTATED)("mutated by %s, is found by the rule %s", async (_, rule, mutate) => {
    expect(await rulesOf(mutate([...HISTORY]))).toEqual(rule.split(" "));
  });

  it("is incomplete without a clock record", async () => {
    const mutated = HISTORY.filter(({ kind }) => kind !== "clock");
    await expect(gatherTimed(mutated)).rejects.toThrow(/is incomplete/);
  });
});

describe("a process that was frozen inside a handler", () => {
  it("may continue after others have handled the event and later ones", async () => {
    const mutated = HISTORY.flatMap((one): HistoryRecord[] => {
      if (one.kind !== "handled" || one.id !== "kept" || one.version !== 2) return [one];
      return [one, { ...one, process: "reactor-2", at: one.at + 9_000 }];
    });
    expect(await rulesOf(mutated)).toEqual([]);
  });
});

describe("a renewal that the server may forget", () => {
  /** Makes the lease count from the renewal before the last one. */
  const forgotten = event("left", 3, expiredAt(4_300));
  const fault =
    (begin: number, windowMs: number | null, clocks: readonly string[] = []): Mutate =>
    (records) =>
      records.flatMap((record): HistoryRecord[] => {
        if (record.kind !== "run") return [record];
        const { at: _, ...named } = { at: 0, number: 1, name: FAULT };
        const loss = windowMs === -1 ? [] : [{ fault: FAULT, windowMs }];
        return [
          { ...record, loss, clocks },
          { kind: "fault-begin", ...named, at: begin },
          { kind: "fault-end", number: 1, at: begin + 10 },
        ];
      });

  it("is counted as lost to a fault that may lose it", async () => {
    const report = timed(await gatherTimed(fault(3_500, 1_000)(forgotten([...HISTORY]))));
    expect(report.violations).toEqual([]);
    expect(report.lost).toEqual([{ fault: FAULT, changes: 0, reads: 0, events: 0, renewals: 1 }]);
  });

  it("is a violation if it was confirmed before the fault's window", async () => {
    expect(await rulesOf(fault(3_500, 400)(forgotten([...HISTORY])))).toContain("lease");
  });

  it("is a violation if the fault must not lose anything", async () => {
    expect(await rulesOf(fault(3_500, -1)(forgotten([...HISTORY])))).toContain("lease");
  });

  it("may have another time if a clock was set meanwhile, and the lease counts from that", async () => {
    for (const at of [2_995, 4_000]) {
      expect(await rulesOf(fault(at, -1, [FAULT])(forgotten([...HISTORY])))).toEqual([]);
    }
    const early = event("left", 3, expiredAt(4_299, 2_300));
    expect(await rulesOf(fault(4_000, -1, [FAULT])(early([...HISTORY])))).toEqual(["lease"]);
    for (const at of [2_900, 6_000]) {
      expect(await rulesOf(fault(at, -1, [FAULT])(forgotten([...HISTORY])))).toContain("lease");
    }
  });

  it("makes the lease count from before its entry only if the entity was dated ahead", async () => {
    const problem = "the lease does not count from the entry into held";
    const problems = async (aheadMs: number, clocks: readonly string[], setAt = 4_000): Promise<number> => {
      const dated = event("left", 2, (document) => ({ ...document, timestamp: iso(1_100 + aheadMs) }));
      const beforeEntry = event("left", 3, expiredAt(3_000, 1_000));
      const spoiled = fault(setAt, -1, clocks)(beforeEntry(dated([...HISTORY])));
      const { violations } = timed(await gatherTimed(spoiled));
      return violations.filter(({ message }) => message.includes(problem)).length;
    };
    expect(await problems(3_600_000, [FAULT])).toBe(0);
    expect(await problems(3_600_000, [])).toBe(1);
    expect(await problems(59_000, [FAULT])).toBe(1);
    // A renewal while the clock was set can be farther ahead than the last change.
    expect(await problems(59_000, [FAULT], RENEWED)).toBe(0);
    expect(await problems(59_000, [], RENEWED)).toBe(1);
  });
});
