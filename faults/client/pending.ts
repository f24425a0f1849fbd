import { type CallRecord, readHistory } from "../history.js";
import type { Step } from "./workload.js";

/** The changes that a process had asked for, and not been answered, when it was killed. */
export async function pendingOf(file: string): Promise<Step[]> {
  const open = new Map<number, CallRecord>();
  for await (const record of readHistory(file, { torn: "drop" })) {
    if (record.kind === "call" && record.operation !== "get") open.set(record.number, record);
    if (record.kind === "return") open.delete(record.number);
  }
  return [...open.values()].map(({ kind, process, number, at, machine, ...step }) => step as Step);
}
