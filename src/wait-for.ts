import type { Feed, Follower } from "./events/feed.js";
import { type Duration, readDuration } from "./machine/duration.js";
import { didYouMean } from "./machine/suggest.js";
import type { Store } from "./store/call.js";
import { told } from "./store/call-error.js";
import { checkId, checkOptions } from "./store/change-options.js";
import type { Change, Snapshot } from "./store/document.js";
import { ContractError } from "./store/errors.js";
import { get } from "./store/read.js";
import { WaitError } from "./wait-error.js";

/** How long to wait. */
export interface WaitOptions {
  /** After this long the wait ends with a `WaitError`. At most 24 days. @default "30s" */
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
  store: Store,
  feed: Feed<Change<S>>,
  id: string,
  wanted: Wanted<S>,
  options: WaitOptions,
): Promise<Snapshot<S>> {
  checkId("id", id, 128);
  checkOptions(options, OPTIONS);
  const { timeout = DEFAULT_TIMEOUT_MS, signal } = options;
  const read = readDuration(timeout);
  if ("problem" in read)
    throw new ContractError("BADARG", `timeout: ${JSON.stringify(timeout)} ${read.problem}`);
  if (read.ms > LONGEST_TIMEOUT_MS) throw new ContractError("BADARG", "timeout must be 24 days at most");
  const states = typeof wanted === "function" ? undefined : statesOf(store, wanted);
  signal?.throwIfAborted();
  const wait = new Wait<S>(
    store,
    id,
    (entity) => (typeof wanted === "function" ? wanted(entity) : states?.includes(entity.state) === true),
    states,
  );
  const timer = setTimeout(() => wait.timeUp(read.ms), read.ms);
  const stop = (): void => wait.onEnd(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  // Followed first and read then: what happens in between comes both ways, and nothing falls between the two.
  told(store.connection, `waiting for ${store.place.machine} ${id}`, () => feed.follow(wait)).then(
    () => wait.look(),
    (error: unknown) => wait.onEnd(error),
  );
  try {
    return await wait.result;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
    feed.leave(wait);
  }
}

function statesOf<S extends string>({ definition }: Store, wanted: S | readonly S[]): readonly S[] {
  const states = typeof wanted === "string" ? [wanted] : wanted;
  if (states.length === 0) throw new ContractError("BADARG", "give at least one state to wait for");
  const known = Object.keys(definition.states);
  const unknown = states.find((state) => !known.includes(state));
  if (unknown === undefined) return states;
  throw new ContractError(
    "BADARG",
    `${JSON.stringify(unknown)} is no state of ${definition.name}${didYouMean(unknown, known) || `; it has ${known.join(", ")}`}`,
  );
}

/** One wait: takes what is read and what happens, in their order, until it is over. */
class Wait<S extends string> implements Follower<Change<S>> {
  readonly id: string;
  readonly result: Promise<Snapshot<S>>;
  readonly #store: Store;
  readonly #isWanted: (entity: Snapshot<S>) => boolean;
  readonly #states: readonly S[] | undefined;
  /** What came while the entity was being read; undefined when it is not. */
  #early: Change<S>[] | undefined = [];
  #current: Snapshot<S> | null = null;
  #looks = 0;
  #resolve: (entity: Snapshot<S>) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(
    store: Store,
    id: string,
    isWanted: (entity: Snapshot<S>) => boolean,
    states: readonly S[] | undefined,
  ) {
    this.id = id;
    this.#store = store;
    this.#isWanted = isWanted;
    this.#states = states;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Reads the entity; after it, judges what came meanwhile. */
  look(): void {
    this.#early ??= [];
    this.#looks += 1;
    const look = this.#looks;
    get<S>(this.#store, this.id).then(
      (entity) => {
        if (look !== this.#looks) return; // looked once more meanwhile, because something was missed
        const early = this.#early ?? [];
        this.#early = undefined;
        if (entity === null) this.#fail("NOTFOUND", "not found; it was never created, or removed");
        else this.#judge(entity);
        for (const change of early) this.onChange(change);
      },
      (error: unknown) => this.#reject(error),
    );
  }

  onChange(change: Change<S>): void {
    if (this.#early !== undefined) this.#early.push(change);
    else if (!isBefore(change, this.#current)) this.#judge(change);
  }

  onMissed(): void {
    this.look();
  }

  onEnd(error: unknown): void {
    this.#reject(error);
  }

  timeUp(ms: number): void {
    const state = this.#current === null ? "nothing is known of it" : `it is ${this.#current.state}`;
    this.#fail("TIMEDOUT", `was not ${this.#what()} within ${ms} ms; ${state}`);
  }

  #judge(entity: Snapshot<S> | Change<S>): void {
    this.#current = entity;
    if (entity.type === `${this.#store.place.machine}.removed`) {
      this.#current = null;
      this.#fail("NOTFOUND", `was removed while it was waited for; it was ${entity.state}`);
      return;
    }
    try {
      if (this.#isWanted(entity)) this.#resolve(entity);
      else if (this.#isAtEnd(entity.state))
        this.#fail("FINAL", `is ${entity.state}, which is final: no transition leads to ${this.#what()}`);
    } catch (error) {
      this.#reject(error);
    }
  }

  /** A predicate may still come true in a final state, by a patch. */
  #isAtEnd(state: S): boolean {
    const rule = this.#store.definition.states[state];
    return this.#states !== undefined && rule !== undefined && (rule.to ?? []).length === 0;
  }

  #what(): string {
    return this.#states?.join(" or ") ?? "as wanted";
  }

  #fail(code: WaitError["code"], text: string): void {
    const { machine } = this.#store.place;
    this.#reject(new WaitError(code, `${machine} ${this.id} ${text}`, machine, this.id, this.#current));
  }
}

/** True where a change had been made already when the entity was as it is known. */
function isBefore(change: Change, known: Snapshot | null): boolean {
  if (known === null) return false;
  return change.createdAt === known.createdAt
    ? change.version <= known.version
    : change.timestamp < known.timestamp;
}
