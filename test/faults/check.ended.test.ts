import { describe, expect, it } from "vitest";
import { gather } from "../../faults/check/gather.js";
import { linear } from "../../faults/check/linear/linear.js";
import { MachineRules } from "../../faults/check/machine-rules.js";
import { witness } from "../../faults/check/witness/witness.js";
import type { HistoryRecord, ReturnRecord } from "../../faults/history/records.js";
import { type ChangeDocument, finalOf, floorOf } from "./simulation/final-state.js";

const MACHINE = { name: "door", initial: "shut", states: { shut: { to: ["open"] }, open: {} }, history: 16 };
const TIME = "2026-11-22T10:27:03.197Z";

/** A call of uncertain outcome opens the door from 10 to 12; it is created from 20 to 21; at last it is read as open. */
function history(outcome: ReturnRecord["outcome"]): HistoryRecord[] {
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
      ...{ kind: "run", format: 2, seed: 1, topology: "standalone", command: "none", startedAt: TIME },
      ...{ machines: [MACHINE], loss: [] },
    },
    call(1, 10, "transition"),
    { ...answer, number: 1, at: 12, outcome },
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
  const times = { timestamp: TIME, since: TIME, createdAt: TIME };
  const log = changes.map((change, at) => ({
    entry: `${ms}-${at}`,
    document: { ...change, ...location, ...times } as ChangeDocument,
  }));
  return [
    floorOf(MACHINE.name),
    ...log.map(({ entry, document }): HistoryRecord => {
      return {
        kind: "final-event",
        machine: "door",
        partition: 0,
        entry,
        document: JSON.stringify(document),
      };
    }),
    ...finalOf(new MachineRules(MACHINE), log),
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
    ["not executed", "NOTEXECUTED", "rejections"],
    ["not found", "NOTFOUND", "rejections"],
    ["forgotten", "FORGOTTEN", "real-time"],
  ] as const)("was not applied after its caller received: %s", async (_, outcome, rule) => {
    expect(await rules(history(outcome))).toEqual({ wgl: 1, witness: [rule] });
  });

  it.each([
    [35, ["rejections"]],
    [25, []],
  ])("was not applied by a copy after it was resolved as never applied, at %d", async (resolvedAt, rule) => {
    const facts = { timestamp: TIME, since: TIME, createdAt: TIME, fields: {} };
    const document = { state: "open", version: 2, ...facts };
    const who = { process: "copy", number: 1 };
    const extra: HistoryRecord[] = [
      { kind: "resolved", process: "p", number: 1, at: 60 - resolvedAt, outcome: "NOTDONE" },
      { kind: "copy", ...who, at: 27, machine: "door", id: "d1", op: "op-1" },
      { kind: "return", ...who, at: 28, outcome: "OK", document },
    ];
    const records = history("UNKNOWN");
    const { witness: found } = await rules([...records.slice(0, -1), ...extra, ...records.slice(-1)]);
    expect(found).toEqual(rule);
  });

  it.each([
    [13, "NOTFOUND", 0, []],
    [25, "OK", 0, []],
    [35, "OK", 1, ["reads"]],
  ] as const)(
    "may have been applied by a copy that was delivered at %d and got %s",
    async (at, outcome, wgl, rule) => {
      const facts = { timestamp: TIME, since: TIME, createdAt: TIME, fields: {} };
      const document = { state: "open", version: 2, ...facts };
      const who = { process: "copy", number: 1 };
      const copy: HistoryRecord[] = [
        { kind: "copy", ...who, at, machine: "door", id: "d1", op: "op-1" },
        { kind: "return", ...who, at: at + 1, outcome, ...(outcome === "OK" && { document }) },
      ];
      const records = history(outcome === "OK" ? "NOTFOUND" : "UNKNOWN");
      const [run, ...rest] = records;
      if (run === undefined) throw new Error("A history begins with its run");
      expect(await rules([run, ...rest.slice(0, -1), ...copy, ...rest.slice(-1)])).toEqual({
        wgl,
        witness: rule,
      });
    },
  );
});
