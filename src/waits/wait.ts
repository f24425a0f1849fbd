import type { Change, Snapshot } from "../contract/document.js";
import type { GapError } from "../errors/gap-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { WaitError } from "../errors/wait-error.js";
import type { Follower } from "../events/feed.js";
import { Deadline } from "../valkey/deadline.js";
import { OfflineError, replyCode } from "../valkey/failure.js";
import { hint } from "../valkey/hint.js";
import { changesBetween, type MissedChange } from "./changes-between.js";
import type { WaitGoal } from "./wait-goal.js";
import type { Found, WaitSource } from "./wait-source.js";

/** Time limit of the read at the end of a wait. */
const LAST_READ_MS = 250;
const LOST = "is gone without an event: the server lost it";

/** Receives snapshots and changes of one entity, in order, until the wait has a result. */
export class Wait<S extends string> implements Follower {
  readonly id: string;
  readonly result: Promise<Snapshot<S>>;
  readonly #source: WaitSource<S>;
  readonly #goal: WaitGoal<S>;
  /** Changes that arrived while the entity was being read; undefined if no read is under way. */
  #early: Change<S>[] | undefined = [];
  #current: Snapshot<S> | null = null;
  #reads = 0;
  #isSettled = false;
  #resolve: (entity: Snapshot<S>) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(source: WaitSource<S>, id: string, goal: WaitGoal<S>) {
    this.id = id;
    this.#source = source;
    this.#goal = goal;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Follows the changes first and reads the entity then, so that no change falls between the two. */
  follow(): void {
    this.#source.follow(this).then(
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
    const isOpen = (): boolean => !this.#isSettled;
    this.#source.read(this.id, this.#hasRead, isOpen).then(
      (found) => {
        if (read !== this.#reads) return; // a gap in the meantime started a newer read
        const early = this.#early ?? [];
        this.#early = undefined;
        this.#judgeRead(found, reason === "lost");
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
    const { address, isReady, place } = this.#source.serverOf(this.id);
    const failure = isReady ? await this.#readLast() : new OfflineError();
    if (this.#isSettled) return;
    const [verb, why] = failure === undefined ? ["is", ""] : ["was", `; ${address} cannot be reached`];
    const state = this.#current === null ? "its state is unknown" : `it ${verb} ${this.#current.state}`;
    this.#fail(
      "TIMEDOUT",
      `was not ${this.#goal.text} within ${ms} ms; ${state}${why}`,
      failure === undefined ? undefined : new NotExecutedError(hint(failure, place), replyCode(failure)),
    );
  }

  /** @returns the error if there is no answer */
  async #readLast(): Promise<unknown> {
    try {
      this.#judgeRead(
        await Deadline.in(LAST_READ_MS).race(this.#source.readOnce(this.id, this.#hasRead)),
        true,
      );
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** True if an earlier read can have missed changes, so that the log is read too. */
  get #hasRead(): boolean {
    return this.#current !== null;
  }

  /**
   * Judges the entity as it was read, and before it the changes since the last read or event, of which no event arrived.
   *
   * @param isLost true if the server may have lost data
   */
  #judgeRead({ entity, log }: Found<S>, isLost: boolean): void {
    const before = this.#current;
    const gap = `may have been ${this.#goal.text}: changes after version ${before?.version} are no longer known`;
    if (before === null && entity !== null) this.#judge(entity);
    else if (before === null) this.#fail("NOTFOUND", "not found; it was never created, or removed");
    else if (entity === null) isLost ? this.#fail("NOTFOUND", LOST) : this.#fail("GAP", `${gap}; it is gone`);
    else {
      const isDecided = this.#judgeMissed(changesBetween(before, entity, log));
      if (this.#isSettled) return;
      this.#current = entity;
      if (isDecided) this.#judge(entity);
      else if (before.createdAt !== entity.createdAt || !this.#accept(entity))
        this.#fail("GAP", `${gap}; it is ${entity.state}`);
    }
  }

  /** Returns whether it is known that no missed change matches, or one does. */
  #judgeMissed(missed: readonly MissedChange<S>[] | undefined): boolean {
    for (const { change, isComplete } of missed ?? []) {
      // The fields do not matter if the state does not match.
      if (!isComplete && this.#goal.states?.includes(change.state) !== false) return false;
      this.#judge(change);
      if (this.#isSettled) break;
    }
    return missed !== undefined;
  }

  #judge(entity: Snapshot<S> | Change<S>): void {
    const { name, states } = this.#source.definition;
    if (entity.type === `${name}.removed`) {
      this.#current = null;
      this.#fail("NOTFOUND", `was removed during the wait; its last state was ${entity.state}`);
      return;
    }
    this.#current = entity;
    const state = states[entity.state];
    // A predicate may still come true in a final state, after a patch.
    if (this.#accept(entity) || this.#goal.states === undefined) return;
    if (state !== undefined && (state.to ?? []).length === 0)
      this.#fail("FINAL", `is ${entity.state}, which is final: no transition leads to ${this.#goal.text}`);
  }

  /** Ends the wait if the entity matches, or the predicate throws. */
  #accept(entity: Snapshot<S>): boolean {
    try {
      if (!this.#goal.matches(entity)) return false;
      this.#isSettled = true;
      this.#resolve(entity);
    } catch (error) {
      this.onEnd(error);
    }
    return true;
  }

  #fail(code: WaitError["code"], text: string, cause?: NotExecutedError): void {
    const { name: machine } = this.#source.definition;
    this.onEnd(new WaitError(code, `${machine} ${this.id} ${text}`, machine, this.id, this.#current, cause));
  }
}

/** Returns true if a change was already made when the entity was read. */
function isInSnapshot(change: Change, current: Snapshot | null): boolean {
  if (current === null) return false;
  return change.createdAt === current.createdAt
    ? change.version <= current.version
    : change.timestamp < current.timestamp;
}
