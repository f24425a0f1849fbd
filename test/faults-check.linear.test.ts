import { describe, expect, it } from "vitest";
import { gather } from "./faults/check/gather.js";
import { linear } from "./faults/check/linear.js";
import type { HistoryRecord, ReturnRecord } from "./faults/history.js";

const MACHINE = { name: "door", initial: "shut", states: { shut: { to: ["open"] }, open: {} }, history: 16 };
const TIME = "2026-11-22T10:27:03.197Z";

/** A door is opened by a call with an uncertain end, from 10 to 12; created from 20 to 21; seen open at last. */
function history(outcome: ReturnRecord["outcome"], attempts?: number): HistoryRecord[] {
  const facts = { timestamp: TIME, since: TIME, createdAt: TIME, fields: {} };
  const shut = { document: { state: "shut", version: 1, ...facts } };
  const open = { document: { state: "open", version: 2, ...facts } };
  const call = (number: number, at: number, operation: "transition" | "create" | "get"): HistoryRecord => ({
    ...{ kind: "call", process: "p", number, at, operation, machine: "door", id: "d1" },
    ...(operation !== "get" && { op: `op-${number}` }),
    ...(operation === "transition" && { to: "open" }),
  });
  const answer = { kind: "return", process: "p" } as const;
  return [
    {
      ...{ kind: "run", format: 1, seed: 1, topology: "standalone", command: "none", startedAt: TIME },
      ...{ machines: [MACHINE], loss: [] },
    },
    call(1, 10, "transition"),
    { ...answer, number: 1, at: 12, outcome, ...(attempts !== undefined && { attempts }) },
    call(2, 20, "create"),
    { ...answer, number: 2, at: 21, outcome: "OK", ...shut },
    call(3, 30, "get"),
    { ...answer, number: 3, at: 31, outcome: "OK", ...open },
    { kind: "end", at: 200 },
  ];
}

async function violations(records: readonly HistoryRecord[]): Promise<number> {
  return linear(await gather(records)).count;
}

describe("a change whose caller was not told that it was made", () => {
  it("may have been made long after, where the caller was told nothing", async () => {
    expect(await violations(history("UNKNOWN"))).toBe(0);
  });

  it.each([
    ["it was not executed", "NOTEXECUTED", undefined],
    ["there was no entity, in one attempt", "NOTFOUND", 1],
    ["there was no entity, after attempts that may have been made before", "NOTFOUND", undefined],
    ["nobody knows any more", "FORGOTTEN", undefined],
  ] as const)("was not made after that caller was told that %s", async (_, outcome, attempts) => {
    expect(await violations(history(outcome, attempts))).toBe(1);
  });
});
