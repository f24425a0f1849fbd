import { setTimeout as pause } from "node:timers/promises";
import { type Duration, readDuration } from "../machine/duration.js";
import type { Connection } from "../valkey/connection.js";
import { allPartitionKeys } from "../valkey/keys.js";
import { readServerTime, type ServerTime } from "../valkey/server-clock.js";
import type { Store } from "./call.js";
import { ask } from "./call-error.js";
import { checkOptions } from "./change-options.js";
import { ContractError, NotExecutedError } from "./errors.js";
import { checkFlag, checkFunctions, checkSignal } from "./option-kinds.js";
import { Audit } from "./sweep-audit.js";
import { type AwayListeners, SweepAway } from "./sweep-away.js";
import { DueWalk, type Progress } from "./sweep-due.js";
import { SweepEnd } from "./sweep-end.js";
import { type SweepListeners, SweepTally, type Swept } from "./swept.js";

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

/**
 * Fires the timers of machines as they run out, and gives entities that lack a deadline theirs. Runs in any number of
 * replicas at once, without lock or leader: whether something fires, the server decides anew for each entity.
 *
 * Machines and partitions take turns, a batch each. After each step it rests as long as the step took, so that half of
 * the time the server is free of it; unless it has fallen behind. While the server can't be reached it goes on trying, unless `once`.
 *
 * @param connection what the machines are reached by: when it is closed, it ends
 * @param find the machines to sweep; asked before each round
 * @returns what was done, when it ends
 */
export async function sweep(
  connection: Connection,
  find: () => Promise<readonly Store[]>,
  options: SweepOptions,
): Promise<Swept> {
  const { intervalMs, batch, once } = settingsOf(options);
  const tally = new SweepTally(options);
  const end = new SweepEnd(connection, options);
  const away = new SweepAway(connection.logger, options);
  const machines = new Map<string, MachineSweep>();
  while (!end.isHere) {
    let problem: unknown;
    const failed = (error: unknown): void => {
      if (!once && connection.isClosed) return;
      if (once || !(error instanceof NotExecutedError) || connection.client.status === "end")
        problem ??= error;
      else away.add(error);
    };
    const stores = await find().catch((error: unknown) => void failed(error));
    for (const store of stores ?? []) {
      const { machine } = store.place;
      if (!machines.has(machine)) machines.set(machine, new MachineSweep(store, batch));
    }
    const found = new Set(stores?.map(({ place }) => place.machine));
    const present = [...machines].flatMap(([name, machine]) => (found.has(name) ? [machine] : []));
    // A backlog is left now and then, for what has come due elsewhere meanwhile.
    const until = once ? Number.POSITIVE_INFINITY : performance.now() + intervalMs;
    const take = (turns: readonly Turn[]): Promise<boolean> => takeTurns(turns, failed, end, until);
    const isDone = await take(present.flatMap((machine) => machine.walks(tally)));
    await take(present.flatMap((machine) => machine.again(tally)));
    await take(present.map((machine) => machine.audit(tally, once)));
    if (problem !== undefined) throw problem;
    if (once) break;
    if (!end.isHere) away.endRound();
    if (isDone) await end.within(intervalMs * (0.5 + Math.random()));
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
  if (!Number.isInteger(batch) || batch < 1 || batch > 1000) {
    throw new ContractError("BADARG", "batch must be a whole number from 1 to 1000");
  }
  const read = readDuration(interval);
  if ("problem" in read)
    throw new ContractError("BADARG", `interval: ${JSON.stringify(interval)} ${read.problem}`);
  return { intervalMs: read.ms, batch, once };
}

/** One step of something. */
type Turn = () => Promise<Progress>;

/**
 * Lets each take a step, and again, until all have ended or failed, or the time is over.
 *
 * @param until by `performance.now()`; each takes one step at least
 * @returns false where the time was over before
 */
async function takeTurns(
  turns: readonly Turn[],
  failed: (error: unknown) => void,
  end: SweepEnd,
  until: number,
): Promise<boolean> {
  let going = [...turns];
  do {
    const next: Turn[] = [];
    for (const turn of going) {
      if (end.isHere) return false;
      const began = performance.now();
      try {
        const progress = await turn();
        if (progress !== "end") next.push(turn);
        if (progress === "more") await pause(Math.min(performance.now() - began, LONGEST_REST_MS));
      } catch (error) {
        failed(error);
      }
    }
    going = next;
  } while (going.length > 0 && performance.now() < until);
  return going.length === 0;
}

/** What is remembered of one machine between two rounds. */
class MachineSweep {
  readonly store: Store;
  readonly #walks: readonly DueWalk[];
  readonly #audit: Audit;

  constructor(store: Store, batch: number) {
    this.store = store;
    this.#walks = allPartitionKeys(store.place).map((keys) => new DueWalk(store, keys, batch));
    this.#audit = new Audit(store);
  }

  /** Up to the end of what has come due. */
  walks(tally: SweepTally): Turn[] {
    return this.#walks.map((walk) => async () => {
      return walk.step(await this.#now(), tally);
    });
  }

  /** Those that are stuck, once more. */
  again(tally: SweepTally): Turn[] {
    return this.#walks.map((walk) => () => walk.again(tally));
  }

  /** One step through the index; all of it where `isWhole`. */
  audit(tally: SweepTally, isWhole: boolean): Turn {
    return async () => {
      const progress = await this.#audit.step((await this.#now()).nowMs, tally);
      return isWhole ? progress : "end";
    };
  }

  #now(): Promise<ServerTime> {
    const { connection, place } = this.store;
    return ask(connection, `sweep ${place.machine}`, readServerTime);
  }
}
