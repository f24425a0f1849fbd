import { gather } from "../check/gather.js";
import { type LinearReport, linear } from "../check/linear.js";
import { type WitnessReport, witness } from "../check/witness.js";
import { type HistoryRecord, readHistory } from "../history.js";
import { Tally } from "./tally.js";

/** What the checkers say of a history. */
export interface Verdict {
  readonly tally: Tally;
  readonly witness: WitnessReport;
  readonly linear: LinearReport;
}

/** Reads a history once, counts what it holds, and has it checked. */
export async function judge(path: string): Promise<Verdict> {
  const tally = new Tally();
  const facts = await gather(counted(readHistory(path), tally));
  return { tally, witness: witness(facts), linear: linear(facts) };
}

async function* counted(
  records: AsyncIterable<HistoryRecord>,
  tally: Tally,
): AsyncGenerator<HistoryRecord, void> {
  for await (const record of records) {
    tally.take(record);
    yield record;
  }
}
