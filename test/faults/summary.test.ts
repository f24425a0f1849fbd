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

/** The summary of a run in which all else went well. */
function summaryOf(run: Run) {
  const told = run.injected ?? [];
  const faults = run.faults ?? told.map((one) => one.fault);
  const options: RunOptions = {
    ...{ topology: "standalone", operations: 1, injections: faults.length, seed: 1, faults },
    ...{ history: "h.jsonl", timed: "h.time.jsonl", command: "again" },
    allowUnavailable: run.allowUnavailable ?? false,
  };
  const clean = { isClean: true, text: "" };
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

  it("is not well where a fault that was chosen could not be injected, and says which and what to do", () => {
    const { text, isPassed } = summaryOf({ injected: [missing, injected(fault("F1 reply dropped"))] });
    expect(isPassed).toBe(false);
    expect(text).toMatch(/^verdict +NOT WELL$/m);
    expect(text).toMatch(
      /^missing +1 kind of fault was chosen and could not be injected; install .*--allow-unavailable$/m,
    );
    expect(text).toMatch(/^ {2}F16 clock jumps: no clock: install one$/m);
  });

  it("is not well where a fault's turn never came", () => {
    const { text, isPassed } = summaryOf({ injected: [], faults: [clock] });
    expect(isPassed).toBe(false);
    expect(text).toMatch(/^ {2}F16 clock jumps: the run ended before its turn$/m);
  });

  it("is well without such a fault where that is allowed, and says so", () => {
    const { text, isPassed } = summaryOf({ injected: [missing], allowUnavailable: true });
    expect(isPassed).toBe(true);
    expect(text).toMatch(/^missing +1 kind .* allowed by --allow-unavailable$/m);
  });

  it("is not well where a segment is undecided", () => {
    expect(summaryOf({}).isPassed).toBe(true);
    const { text, isPassed } = summaryOf({ linear: { undecided: 3 } });
    expect(isPassed).toBe(false);
    expect(text).toMatch(/^undecided +3 SEGMENTS/m);
  });

  it("counts every unknown outcome: resolved, or asked for in vain", () => {
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
      /^unknown +3, resolved as: DONE 1; asked in vain: 2; cut short/m,
    );
  });

  it("says of measured loss that what is made during the fault may be lost too", () => {
    const details = [{ lost: 3, acknowledged: 5, lostSpanMs: 2663 }];
    const { text } = summaryOf({
      injected: [injected(fault("F12 cut off", { windowMs: 1000 }), { details })],
    });
    expect(text).toMatch(/2663 ms; allowed: those of the last 1000 ms before the fault, and during it$/m);
  });

  it("shows at how many of its places a file was cut", () => {
    const details = [
      { places: 1165, cutSoFar: 69 },
      { places: 1165, cutSoFar: 138 },
    ];
    const { text } = summaryOf({ injected: [injected(fault("F7 file cut"), { injected: 2, details })] });
    expect(text).toMatch(/F7 file cut +2 {2}\(cut at 138 of 1165 places\)$/m);
  });
});
