import { checkId, checkOptions, checkSignal, checkStates, refuse, shortText } from "../contract/arguments.js";
import type { Change, Snapshot } from "../contract/document.js";
import type { Feed } from "../events/feed.js";
import { type Duration, readDuration } from "../machine/duration.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { onAbort } from "../valkey/on-abort.js";
import { Wait } from "./wait.js";

/** How long to wait. */
export interface WaitOptions {
  /**
   * After this long the wait ends with a `WaitError`: its one limit, also while the server is away. At most 24 days.
   * @default "30s"
   */
  readonly timeout?: Duration;
  /** Ends the wait when aborted; it is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What an entity is waited for: to be in a state, in one of several, or to satisfy a predicate. */
export type Wanted<S extends string> = S | readonly S[] | ((entity: Snapshot<S>) => boolean);

const OPTIONS: ReadonlySet<string> = new Set<keyof WaitOptions>(["timeout", "signal"]);
const DEFAULT_TIMEOUT_MS = 30_000;
/** The longest time that Node's timers take, in whole days. */
const LONGEST_TIMEOUT_MS = 24 * 86_400_000;

/** Waits until an entity is as wanted: it is read once, then followed by the event log, in which nothing is left out. */
export async function waitFor<S extends string>(
  store: MachineStore,
  feed: Feed<Change<S>>,
  id: string,
  wanted: Wanted<S>,
  options: WaitOptions,
): Promise<Snapshot<S>> {
  checkId("id", id, 128);
  checkOptions(options, OPTIONS);
  const { timeout = DEFAULT_TIMEOUT_MS, signal } = options;
  const read = readDuration(timeout);
  if ("problem" in read) refuse(`timeout: ${shortText(timeout)} ${read.problem}`);
  if (read.ms > LONGEST_TIMEOUT_MS) refuse("timeout must be 24 days at most");
  checkSignal(signal);
  const states = typeof wanted === "function" ? undefined : statesOf(store, wanted);
  signal?.throwIfAborted();
  const wait = new Wait<S>(
    store,
    id,
    typeof wanted === "function"
      ? (entity) => truth(wanted(entity))
      : ({ state }) => states?.includes(state) === true,
    states,
  );
  const timer = setTimeout(() => void wait.timeUp(read.ms), read.ms);
  const unlisten = onAbort(signal, () => wait.onEnd(signal?.reason));
  // Followed first and read then: what happens in between comes both ways, and nothing falls between the two.
  wait.follow(feed);
  try {
    return await wait.result;
  } finally {
    clearTimeout(timer);
    unlisten();
    feed.leave(wait);
  }
}

/** @throws TypeError for a promise, which is true whatever it comes to */
function truth(answer: unknown): boolean {
  if (typeof answer !== "object" || answer === null || !("then" in answer)) return Boolean(answer);
  Promise.resolve(answer).catch(() => {}); // what it comes to is no part of it
  throw new TypeError(
    "what waitFor was given to judge by answered with a promise; it must answer with true or false at once",
  );
}

function statesOf<S extends string>({ definition }: MachineStore, wanted: S | readonly S[]): readonly S[] {
  const states = typeof wanted === "string" ? [wanted] : wanted;
  if (!Array.isArray(states))
    refuse(`give a state to wait for, a list of states or a function, not ${shortText(states)}`);
  if (states.length === 0) refuse("give at least one state to wait for");
  const known = Object.keys(definition.states);
  checkStates(definition.name, states, known);
  return states;
}
