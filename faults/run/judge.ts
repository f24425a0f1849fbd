import { gather } from "../check/gather.js";
import { type LinearReport, linear } from "../check/linear/linear.js";
import { gatherTimed } from "../check/timed/facts.js";
import { type TimedReport, timed } from "../check/timed/timed.js";
import { type WitnessReport, witness } from "../check/witness/witness.js";
import { readHistory } from "../history/reader.js";
import type { HistoryRecord } from "../history/records.js";
import { Tally } from "./tally.js";

/** Holds the results of the checkers. */
export interface Verdict {
  readonly tally: Tally;
  readonly witness: WitnessReport;
  readonly linear: LinearReport;
  readonly timed: TimedReport;
}

/** Reads both histories of a run once, counts the records of the callers' history, and runs all checkers. */
export async function judge(path: string, timedPath: string): Promise<Verdict> {
  const tally = new Tally();
  const facts = await gather(counted(readHistory(path), tally));
  const timedFacts = await gatherTimed(readHistory(timedPath));
  return { tally, witness: witness(facts), linear: linear(facts), timed: timed(timedFacts) };
}

async function* counted(
  records: AsyncIterable<HistoryRecord>,
  tally: Tally,
): AsyncGenerator<HistoryRecord, void> {
  for await (const record of records) {
    tally.add(record);
    yield record;
  }
}
