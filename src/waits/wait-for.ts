import {
  checkDuration,
  checkId,
  checkOptions,
  checkSignal,
  refuse,
  shortText,
} from "../contract/arguments.js";
import type { Change, Snapshot } from "../contract/document.js";
import type { Feed } from "../events/feed.js";
import type { Duration } from "../machine/duration.js";
import { didYouMean } from "../machine/suggest.js";
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
  const timeoutMs = checkDuration("timeout", timeout, LONGEST_TIMEOUT_MS);
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
  const timer = setTimeout(() => void wait.timeUp(timeoutMs), timeoutMs);
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

/** Rejects a promise, which is always truthy. */
function truth(answer: unknown): boolean {
  if (typeof answer !== "object" || answer === null || !("then" in answer)) return Boolean(answer);
  Promise.resolve(answer).catch(() => {}); // its own failure would end the process
  refuse("the function of waitFor returned a promise; it must return true or false");
}

function statesOf<S extends string>({ definition }: MachineStore, wanted: S | readonly S[]): readonly S[] {
  const states = typeof wanted === "string" ? [wanted] : wanted;
  if (!Array.isArray(states))
    refuse(`give a state to wait for, a list of states or a function, not ${shortText(states)}`);
  if (states.length === 0) refuse("give at least one state to wait for");
  const known = Object.keys(definition.states);
  for (const state of states) {
    if (!known.includes(state)) {
      const others = didYouMean(String(state), known) || `; it has ${known.join(", ")}`;
      refuse(`unknown state ${shortText(state)} of ${definition.name}${others}`);
    }
  }
  return states;
}
