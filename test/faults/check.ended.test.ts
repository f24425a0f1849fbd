import { describe, expect, it } from "vitest";
import { gather } from "../../faults/check/gather.js";
import { linear } from "../../faults/check/linear/linear.js";
import { witness } from "../../faults/check/witness/witness.js";
import type { HistoryRecord, ReturnRecord } from "../../faults/history/records.js";

const MACHINE = { name: "door", initial: "shut", states: { shut: { to: ["open"] }, open: {} }, history: 16 };
const TIME = "2026-11-22T10:27:03.197Z";

/** A call of uncertain outcome opens the door from 10 to 12; it is created from 20 to 21; at last it is read as open. */
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
    ...final([
      { type: "door.shut", from: null, state: "shut", version: 1, op: "op-2" },
      { type: "door.open", from: "shut", state: "open", version: 2, op: "op-1" },
    ]),
    { kind: "end", at: 200 },
  ];
}

/** Returns the final state of the server after these changes of the door. */
function final(
  changes: readonly { type: string; from: string | null; state: string; version: number; op: string }[],
): HistoryRecord[] {
  const location = { machine: "door", id: "d1" } as const;
  const ms = Date.parse(TIME);
  const documents = changes.map(({ op, ...rest }) =>
    JSON.stringify({ ...rest, ...location, timestamp: TIME, since: TIME, createdAt: TIME, op }),
  );
  const ops = changes.map(({ op }, at) => [`op:${at}`, `${op} ${at + 1} ${ms}`]);
  const hash = { state: "open", version: "2", at: `${ms}`, since: `${ms}`, created: TIME, ops: "2 0" };
  return [
    ...documents.map((document, at): HistoryRecord => {
      return { kind: "final-event", machine: "door", partition: 0, entry: `${ms}-${at}`, document };
    }),
    { kind: "final-entity", ...location, hash: { ...hash, ...Object.fromEntries(ops) } },
    { kind: "final-index", ...location, score: 10_000_000_000_000 + ms },
    { kind: "final-log", ...location, documents },
  ];
}

async function rules(records: readonly HistoryRecord[]) {
  const facts = await gather(records);
  return { wgl: linear(facts).count, witness: Object.keys(witness(facts).byRule) };
}

describe("a change without an acknowledgement", () => {
  it("may have been applied much later if its outcome is unknown", async () => {
    expect(await rules(history("UNKNOWN"))).toEqual({ wgl: 0, witness: [] });
  });

  it.each([
    ["not executed", "NOTEXECUTED", undefined, "rejections"],
    ["not found in one attempt", "NOTFOUND", 1, "rejections"],
    ["not found after several attempts", "NOTFOUND", undefined, "real-time"],
    ["forgotten", "FORGOTTEN", undefined, "real-time"],
  ] as const)("was not applied after its caller received: %s", async (_, outcome, attempts, rule) => {
    expect(await rules(history(outcome, attempts))).toEqual({ wgl: 1, witness: [rule] });
  });
});
