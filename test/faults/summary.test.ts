import { describe, expect, it } from "vitest";
import type { Fault } from "../../faults/fault.js";
import type { HistoryRecord } from "../../faults/history/records.js";
import type { InjectionResult } from "../../faults/run/injections.js";
import type { Verdict } from "../../faults/run/judge.js";
import type { RunOptions } from "../../faults/run/run.js";
import { summary } from "../../faults/run/summary.js";
import { Tally } from "../../faults/run/tally.js";

function fault(name: string, loses: Fault["loses"] = false): Fault {
  return { name, topologies: ["standalone"], loses, inject: async () => ({}) };
}

function injected(of: Fault, more: Partial<InjectionResult> = {}): InjectionResult {
  return { fault: of, injected: 1, void: 0, failures: [], details: [], ...more };
}

interface Run {
  readonly injected?: readonly InjectionResult[];
  readonly faults?: readonly Fault[];
  readonly linear?: Partial<Verdict["linear"]>;
  readonly tally?: Tally;
  readonly allowUnavailable?: boolean;
}

/** Formats the summary of a run that passes otherwise. */
function summaryOf(run: Run) {
  const told = run.injected ?? [];
  const faults = run.faults ?? told.map((one) => one.fault);
  const options: RunOptions = {
    ...{ topology: "standalone", operations: 1, injections: faults.length, seed: 1, faults },
    ...{ history: "h.jsonl", timed: "h.time.jsonl", command: "again", nodeTimeoutMs: 2500 },
    allowUnavailable: run.allowUnavailable ?? false,
  };
  const clean = { isClean: true, text: "", repaired: 0 };
  const none = { violations: [], count: 0, byRule: {}, lost: [] };
  return summary(
    options,
    { injected: told, fsck: clean, timedFsck: clean, problems: [] },
    {
      tally: run.tally ?? new Tally(),
      witness: { ...none, entities: 0, calls: 0, changes: 0 },
      linear: { ...none, entities: 1, segments: 2, operations: 7, steps: 9, undecided: 0, ...run.linear },
      timed: {
        ...none,
        ...{ renewals: 0, holds: 0, losses: 0, expiries: 0, events: 0 },
        handled: 0,
        deadLetters: 0,
      },
    },
  );
}

describe("the summary of a run", () => {
  const clock = fault("F16 clock jumps");
  const missing = injected(clock, { injected: 0, unavailable: "no clock: install one" });

  it("fails if a chosen fault is unavailable, and prints which and how to fix it", () => {
    const { text, isPassed } = summaryOf({ injected: [missing, injected(fault("F1 reply dropped"))] });
    expect(isPassed).toBe(false);
    expect(text).toMatch(/^verdict +FAILED$/m);
    expect(text).toMatch(
      /^unavailable +1 kind of fault was unavailable here; install .*--allow-unavailable$/m,
    );
    expect(text).toMatch(/^ {2}F16 clock jumps: no clock: install one$/m);
  });

  it("fails if the run ended before a fault", () => {
    const { text, isPassed } = summaryOf({ injected: [], faults: [clock] });
    expect(isPassed).toBe(false);
    expect(text).toMatch(/^ {2}F16 clock jumps: the run ended before it$/m);
  });

  it("passes without a fault if that is allowed, and prints it", () => {
    const { text, isPassed } = summaryOf({ injected: [missing], allowUnavailable: true });
    expect(isPassed).toBe(true);
    expect(text).toMatch(/^unavailable +1 kind .* allowed by --allow-unavailable$/m);
  });

  it("fails if a segment is undecided", () => {
    expect(summaryOf({}).isPassed).toBe(true);
    const { text, isPassed } = summaryOf({ linear: { undecided: 3 } });
    expect(isPassed).toBe(false);
    expect(text).toMatch(/^undecided +3 SEGMENTS/m);
  });

  it("counts every unknown outcome as resolved or unresolved", () => {
    const tally = new Tally();
    const records: HistoryRecord[] = [1, 2, 3].flatMap((number): HistoryRecord[] => {
      const call = { process: "p", number };
      return [
        { kind: "call", ...call, at: number, operation: "remove", machine: "job", id: "a", op: `${number}` },
        { kind: "return", ...call, at: number, outcome: "UNKNOWN" },
      ];
    });
    records.push({ kind: "resolved", process: "p", number: 1, at: 4, outcome: "DONE", version: 2 });
    for (const record of records) tally.add(record);
    expect(summaryOf({ tally }).text).toMatch(
      /^unknown +3, resolved as: DONE 1; unresolved: 2; interrupted/m,
    );
  });

  it("says that a change during the fault may be lost too", () => {
    const details = [{ lost: 3, acknowledged: 5, lostSpanMs: 2663 }];
    const { text } = summaryOf({
      injected: [injected(fault("F12 partition", { windowMs: 1000 }), { details })],
    });
    expect(text).toMatch(/2663 ms; permitted: the last 1000 ms before the fault, and during it$/m);
  });

  it("shows at how many places a file was cut", () => {
    const details = [
      { places: 1165, cutSoFar: 69 },
      { places: 1165, cutSoFar: 138 },
    ];
    const { text } = summaryOf({ injected: [injected(fault("F7 file cut"), { injected: 2, details })] });
    expect(text).toMatch(/F7 file cut +2 {2}\(cut at 138 of 1165 places\)$/m);
  });
});
