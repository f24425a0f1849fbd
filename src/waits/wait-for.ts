import {
  checkDuration,
  checkId,
  checkKnownStates,
  checkOptions,
  checkSignal,
  refuse,
  shortText,
} from "../contract/arguments.js";
import type { Change, Snapshot } from "../contract/document.js";
import { readEntity } from "../contract/entity-hash.js";
import type { GapError } from "../errors/gap-error.js";
import { WaitError } from "../errors/wait-error.js";
import type { Feed, Follower } from "../events/feed.js";
import type { Duration } from "../machine/duration.js";
import { askOnce } from "../valkey/ask.js";
import { Deadline } from "../valkey/deadline.js";
import { entityKey } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { onAbort } from "../valkey/on-abort.js";
import { retryWhile } from "../valkey/retry.js";

/** Options of `waitFor`. */
export interface WaitOptions {
  /**
   * After this time the wait ends with a `WaitError`, also while the server is unreachable. At most 24 days.
   * @default "30s"
   */
  readonly timeout?: Duration;
  /** Ends the wait when aborted: it is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The target of a wait: a state, one of several states, or a predicate over the entity. */
export type WaitTarget<S extends string> = S | readonly S[] | ((entity: Snapshot<S>) => boolean);

const OPTIONS: readonly (keyof WaitOptions)[] = ["timeout", "signal"];
/** Default time limit of a wait in ms. */
export const DEFAULT_WAIT_MS = 30_000;
/** The longest time that Node's timers take, in whole days. */
const LONGEST_TIMEOUT_MS = 24 * 86_400_000;
/** Time limit of the read at the end of a wait. */
const LAST_READ_MS = 250;
const LOST = "is gone without an event: the server lost it";

/** Waits until an entity matches. It is read once and then followed in the event log, which omits nothing. */
export async function waitFor<S extends string>(
  store: MachineStore,
  feed: Feed,
  id: string,
  target: WaitTarget<S>,
  options: WaitOptions,
): Promise<Snapshot<S>> {
  checkId("id", id, 128);
  checkOptions(options, OPTIONS);
  const { timeout = DEFAULT_WAIT_MS, signal } = options;
  const timeoutMs = checkDuration("timeout", timeout, LONGEST_TIMEOUT_MS);
  checkSignal(signal);
  const states = typeof target === "function" ? undefined : statesOf(store, target);
  const matches = (entity: Snapshot<S>): boolean =>
    typeof target === "function" ? truth(target(entity)) : states?.includes(entity.state) === true;
  signal?.throwIfAborted();
  const wait = new Wait<S>(store, id, matches, states);
  const timer = setTimeout(() => void wait.timeUp(timeoutMs), timeoutMs);
  const unlisten = onAbort(signal, () => wait.onEnd(signal?.reason));
  wait.follow(feed);
  try {
    return await wait.result;
  } finally {
    clearTimeout(timer);
    unlisten();
    feed.leave(wait);
  }
}

/** Rejects a promise, which would count as true. */
function truth(answer: unknown): boolean {
  if (typeof answer !== "object" || answer === null || !("then" in answer)) return Boolean(answer);
  Promise.resolve(answer).catch(() => {}); // its rejection would end the process
  refuse("the predicate of waitFor returned a promise; it must return true or false");
}

function statesOf<S extends string>({ definition }: MachineStore, target: S | readonly S[]): readonly S[] {
  const states = typeof target === "string" ? [target] : target;
  if (!Array.isArray(states))
    refuse(`waitFor needs a state, a list of states or a function, not ${shortText(states)}`);
  if (states.length === 0) refuse("waitFor needs at least one state");
  const known = Object.keys(definition.states);
  checkKnownStates(definition.name, states, known);
  return states;
}

/** Receives what is read of one entity and its changes, in order, until the wait has a result. */
class Wait<S extends string> implements Follower {
  readonly id: string;
  readonly result: Promise<Snapshot<S>>;
  readonly #store: MachineStore;
  readonly #matches: (entity: Snapshot<S>) => boolean;
  readonly #states: readonly S[] | undefined;
  /** Changes that arrived while the entity was being read; undefined if no read is under way. */
  #early: Change<S>[] | undefined = [];
  #current: Snapshot<S> | null = null;
  #reads = 0;
  #isSettled = false;
  #resolve: (entity: Snapshot<S>) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  /**
   * @param matches decides if the wait is satisfied
   * @param states the states that are waited for; undefined for a predicate
   */
  constructor(
    store: MachineStore,
    id: string,
    matches: (entity: Snapshot<S>) => boolean,
    states: readonly S[] | undefined,
  ) {
    this.id = id;
    this.#store = store;
    this.#matches = matches;
    this.#states = states;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Follows the feed first and reads the entity then, so that no change falls between the two. */
  follow(feed: Feed): void {
    this.#ask(() => feed.follow(this)).then(
      () => this.onMissed(),
      (error: unknown) => this.onEnd(error),
    );
  }

  onChange(change: Change<S>): void {
    if (this.#early !== undefined) this.#early.push(change);
    else if (!isInSnapshot(change, this.#current)) this.#judge(change);
  }

  /** Reads the entity, then judges the changes that arrived in the meantime. */
  onMissed(reason?: GapError["reason"]): void {
    if (this.#isSettled) return;
    this.#early ??= [];
    this.#reads += 1;
    const read = this.#reads;
    this.#ask(() => this.#read()).then(
      (entity) => {
        if (read !== this.#reads) return; // a gap in the meantime started a newer read
        const early = this.#early ?? [];
        this.#early = undefined;
        const isLost = reason === "lost" && this.#current !== null;
        if (entity === null)
          this.#fail("NOTFOUND", isLost ? LOST : "not found; it was never created, or removed");
        else this.#judge(entity);
        for (const change of early) this.onChange(change);
      },
      (error: unknown) => this.onEnd(error),
    );
  }

  onEnd(error: unknown): void {
    this.#isSettled = true;
    this.#reject(error);
  }

  /** Reads the entity a last time before the wait fails: data that the server lost has no event. */
  async timeUp(ms: number): Promise<void> {
    const { client, address } = this.#store.connection;
    const isReachable = client.status === "ready" && (await this.#readLast());
    if (this.#isSettled) return;
    const [verb, why] = isReachable ? ["is", ""] : ["was", `; ${address} cannot be reached`];
    const state = this.#current === null ? "its state is unknown" : `it ${verb} ${this.#current.state}`;
    this.#fail("TIMEDOUT", `was not ${this.#target} within ${ms} ms; ${state}${why}`);
  }

  async #readLast(): Promise<boolean> {
    const { connection, location } = this.#store;
    try {
      const hash = await Deadline.in(LAST_READ_MS).race(
        connection.client.hgetall(entityKey(location, this.id)),
      );
      const entity = readEntity<S>(location.machine, this.id, hash);
      if (entity === null) this.#fail("NOTFOUND", LOST);
      else this.#judge(entity);
      return true;
    } catch {
      return false;
    }
  }

  async #read(): Promise<Snapshot<S> | null> {
    const { connection, location } = this.#store;
    const key = entityKey(location, this.id);
    const isOpen = (): boolean => !this.#isSettled;
    const hash = await retryWhile(connection, isOpen, this.#name, () => connection.client.hgetall(key));
    return readEntity<S>(location.machine, this.id, hash);
  }

  /** Asks the server. @throws ClosedError if latchkey is closed, otherwise NotExecutedError if there is no answer. */
  #ask<T>(question: () => Promise<T>): Promise<T> {
    return askOnce(this.#store.connection, this.#name, question);
  }

  get #name(): string {
    return `waiting for ${this.#store.location.machine} ${this.id}`;
  }

  #judge(entity: Snapshot<S> | Change<S>): void {
    const { location, definition } = this.#store;
    if (entity.type === `${location.machine}.removed`) {
      this.#current = null;
      this.#fail("NOTFOUND", `was removed during the wait; its last state was ${entity.state}`);
      return;
    }
    this.#current = entity;
    const state = definition.states[entity.state];
    try {
      if (this.#matches(entity)) {
        this.#isSettled = true;
        this.#resolve(entity);
        // A predicate may still come true in a final state, after a patch.
      } else if (this.#states !== undefined && state !== undefined && (state.to ?? []).length === 0)
        this.#fail("FINAL", `is ${entity.state}, which is final: no transition leads to ${this.#target}`);
    } catch (error) {
      this.onEnd(error);
    }
  }

  get #target(): string {
    return this.#states?.join(" or ") ?? "as the predicate requires";
  }

  #fail(code: WaitError["code"], text: string): void {
    const { machine } = this.#store.location;
    this.onEnd(new WaitError(code, `${machine} ${this.id} ${text}`, machine, this.id, this.#current));
  }
}

/** Returns true if a change was already made when the entity was read. */
function isInSnapshot(change: Change, current: Snapshot | null): boolean {
  if (current === null) return false;
  return change.createdAt === current.createdAt
    ? change.version <= current.version
    : change.timestamp < current.timestamp;
}
