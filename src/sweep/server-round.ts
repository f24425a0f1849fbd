import { NotExecutedError } from "../errors/outcome-errors.js";
import type { Connection } from "../valkey/connection.js";
import { pause, performance } from "../valkey/real-time.js";
import type { PartitionSweep } from "./partition-sweep.js";

/** Limits the rest after a batch, in ms. */
const MAX_REST_MS = 100;

/** Replies that concern one command or key. After any other failure the server is not asked again in this round. */
const LOCAL_REPLIES: ReadonlySet<string> = new Set(["NOPERM", "WRONGTYPE", "ERR", "DENIED", "CROSSSLOT"]);

/** Limits a round. */
export interface RoundLimits {
  readonly once: boolean;
  /** Value of `performance.now()` at which the round ends. */
  readonly until: number;
  readonly stop: AbortSignal;
}

/** The end of one server's round. */
export interface RoundResult {
  /** False if time was up before all partitions had ended their round. */
  readonly isDone: boolean;
  readonly failure?: unknown;
}

/** Sweeps partitions of one server, which take turns. */
export async function sweepServer(
  partitions: readonly PartitionSweep[],
  { once, until, stop }: RoundLimits,
): Promise<RoundResult> {
  let failure: unknown;
  let rounds = partitions.map((partition) => partition.round(once));
  do {
    const unfinished: typeof rounds = [];
    for (const round of rounds) {
      if (stop.aborted) return { isDone: false };
      const began = performance.now();
      try {
        if ((await round.next()).done) continue;
        unfinished.push(round);
        await pause(Math.min(performance.now() - began, MAX_REST_MS));
      } catch (error) {
        if (!(error instanceof NotExecutedError && LOCAL_REPLIES.has(error.reply)))
          return { isDone: true, failure: error };
        failure ??= error;
      }
    }
    rounds = unfinished;
  } while (rounds.length > 0 && performance.now() < until);
  return { isDone: rounds.length === 0, failure };
}

/** Groups partitions by the server that holds them. */
export function byServer(partitions: readonly PartitionSweep[]): PartitionSweep[][] {
  const groups = new Map<Connection | undefined, PartitionSweep[]>();
  for (const partition of partitions) {
    const { server } = partition;
    groups.set(server, [...(groups.get(server) ?? []), partition]);
  }
  return [...groups.values()];
}
