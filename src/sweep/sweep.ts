import { setTimeout as pause } from "node:timers/promises";
import {
  checkDuration,
  checkFlag,
  checkFunctions,
  checkOptions,
  checkSignal,
  checkWhole,
} from "../contract/arguments.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import type { Duration } from "../machine/duration.js";
import type { Connection } from "../valkey/connection.js";
import { MachineSweep, type Turn } from "./machine-sweep.js";
import { type AwayListeners, SweepAway } from "./server-away.js";
import { SweepEnd } from "./stop.js";
import { type SweepListeners, SweepTally, type Swept } from "./tally.js";
import { type Found, tellMisnamed } from "./targets.js";

/** How to sweep. */
export interface SweepOptions extends SweepListeners, AwayListeners {
  /** Ends it, as closing latchkey does. What was begun is finished first. */
  readonly signal?: AbortSignal;
  /** Time between two rounds, more or less: each replica shifts it at random. @default "1s" */
  readonly interval?: Duration;
  /** So many entities are asked for at once, 1 to 1000. @default 100 */
  readonly batch?: number;
  /** Ends after one round, and a look through the whole index. @default false */
  readonly once?: boolean;
}

const OPTIONS: ReadonlySet<string> = new Set<keyof SweepOptions>([
  "signal",
  "interval",
  "batch",
  "once",
  "onChange",
  "onStuck",
  "onAway",
  "onBack",
]);

/** The longest rest between two steps, in ms. */
const LONGEST_REST_MS = 100;

/** Refusals of the server that are about what was asked, and not about all that it is asked. */
const OF_ONE: ReadonlySet<string> = new Set(["NOPERM", "WRONGTYPE", "ERR", "DENIED", "CROSSSLOT"]);

/**
 * Fires the timers of machines as they run out, and gives entities that lack a deadline theirs. Runs in any number of
 * replicas at once, without lock or leader: whether something fires, the server decides anew for each entity.
 *
 * Machines and partitions take turns, a batch each. After each step it rests as long as the step took, so that half of
 * the time the server is free of it; unless it has fallen behind. While the server can't be reached it goes on trying,
 * unless `once`. What is damaged is told, and ends nothing.
 *
 * @param connection what the machines are reached by: when it is closed, it ends
 * @param find the machines to sweep; asked before each round
 * @returns what was done, when it ends
 */
export async function sweep(
  connection: Connection,
  namespace: string,
  find: () => Promise<Found>,
  options: SweepOptions,
): Promise<Swept> {
  const { intervalMs, batch, once } = settingsOf(options);
  const tally = new SweepTally(options, connection.logger);
  const end = new SweepEnd(connection, options);
  const away = new SweepAway(connection.logger, options);
  const machines = new Map<string, MachineSweep>();
  let found: Found = { places: [], misnamed: [] };
  try {
    while (!end.isHere) {
      let problem: unknown;
      const failed = (error: unknown): boolean => {
        if (!once && connection.isClosed) return true;
        if (once || !(error instanceof NotExecutedError) || connection.client.status === "end")
          problem ??= error;
        else away.add(error);
        return !(error instanceof NotExecutedError && OF_ONE.has(error.reply));
      };
      // Where the server is away, nothing more is asked in this round.
      let isOver = false;
      try {
        found = await find();
        tellMisnamed(tally, namespace, found);
      } catch (error) {
        isOver = failed(error);
      }
      for (const location of found.places) {
        const { machine } = location;
        if (!machines.has(machine))
          machines.set(machine, new MachineSweep(connection, location, batch, tally));
      }
      const present = found.places.flatMap(({ machine }) => machines.get(machine) ?? []);
      // A backlog is left now and then, for what has come due elsewhere meanwhile.
      const until = once ? Number.POSITIVE_INFINITY : performance.now() + intervalMs;
      const walks = present.flatMap((machine) => machine.walks());
      let isDone = true;
      for (const turns of [
        walks,
        present.flatMap((machine) => machine.again()),
        present.flatMap((machine) => machine.audits(once)),
      ]) {
        if (isOver) break;
        const took = await takeTurns(turns, failed, end, until);
        isOver = took === "over";
        if (turns === walks) isDone = took !== "late";
      }
      if (tally.denial !== undefined) failed(tally.denial);
      if (problem !== undefined) throw problem;
      if (once) break;
      if (!end.isHere) away.endRound();
      if (isDone) await end.within(intervalMs * (0.5 + Math.random()));
    }
  } finally {
    end.close();
  }
  return tally.swept;
}

/** @throws ContractError with code BADARG where an option is none, or can't be what it is */
function settingsOf(options: SweepOptions) {
  checkOptions(options, OPTIONS);
  const { interval = "1s", batch = 100, once = false, signal, ...listeners } = options;
  checkSignal(signal);
  checkFlag("once", once);
  checkFunctions(listeners);
  checkWhole("batch", batch, 1, 1000);
  return { intervalMs: checkDuration("interval", interval), batch, once };
}

/**
 * Lets each take a step, and again, until all have ended or failed, or the time is over.
 *
 * @param failed told of what failed; returns whether it is no use to ask for more
 * @param until by `performance.now()`; each takes one step at least
 * @returns `late` where the time was over before, `over` where more was no use
 */
async function takeTurns(
  turns: readonly Turn[],
  failed: (error: unknown) => boolean,
  end: SweepEnd,
  until: number,
): Promise<"done" | "late" | "over"> {
  let going = [...turns];
  do {
    const next: Turn[] = [];
    for (const turn of going) {
      if (end.isHere) return "late";
      const began = performance.now();
      try {
        const progress = await turn();
        if (progress !== "end") next.push(turn);
        if (progress === "more") await pause(Math.min(performance.now() - began, LONGEST_REST_MS));
      } catch (error) {
        if (failed(error)) return "over";
      }
    }
    going = next;
  } while (going.length > 0 && performance.now() < until);
  return going.length === 0 ? "done" : "late";
}
