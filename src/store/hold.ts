import { LONGEST_TIMER_MS } from "../valkey/deadline.js";
import { tell } from "../valkey/failed-listener.js";
import type { Store } from "./call.js";
import type { Change, Replay, Snapshot } from "./document.js";
import { ContractError, RefusedError } from "./errors.js";
import { heartbeat } from "./heartbeat.js";
import { inside, isInside } from "./inside.js";
import { type LeaseLength, leaseLength } from "./lease-length.js";
import { LeaseLostError } from "./lease-lost-error.js";

/** How to hold an entity. */
export interface HoldOptions {
  /**
   * The version that is held: any change by anyone else is a loss. Own changes go through `hold.change`. Without it,
   * the entity's stay in its present state is held, whatever is patched meanwhile.
   */
  readonly version?: number;
  /** Told once, the moment that the lease is lost. */
  readonly onLost?: (lost: LeaseLostError) => void;
}

/** A renewal has this part of the lease to be answered, repeated attempts included. */
const ANSWER_PART = 1 / 6;
/** So long after a renewal without an answer the next one begins. */
const RETRY_PART = 1 / 12;

/**
 * Renews the lease of an entity by itself, at a third of its length, until it is closed or lost. Made by
 * `agents.hold(id)`.
 *
 * It is lost when the server refuses a renewal: someone else changed the entity, it left the state, or it is gone. And
 * when no renewal was confirmed before the lease's own end, by a clock that nobody sets: by then another may have it.
 *
 * @example
 * const hold = await agents.hold("a1", { version: agent.version });
 * try { await work({ signal: hold.signal }); } finally { await hold.close(); }
 */
export class Hold<S extends string = string> implements AsyncDisposable {
  readonly id: string;
  readonly #store: Store;
  readonly #createdAt: string;
  readonly #since: string;
  readonly #state: string;
  readonly #isFenced: boolean;
  readonly #onLost: ((lost: LeaseLostError) => void) | undefined;
  readonly #lost = new AbortController();
  #version: number;
  /** As it was last read. */
  #length: LeaseLength;
  /** What the last renewal counts. */
  #leaseMs: number;
  #isClosed = false;
  /** Of this process's own clock. */
  #confirmedUntil: number;
  #next: NodeJS.Timeout | undefined;
  #end: NodeJS.Timeout | undefined;
  /** Renewals and own changes, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #failure: unknown;

  constructor(
    store: Store,
    length: LeaseLength & { readonly ms: number },
    entity: Snapshot<S>,
    asked: number,
    { version, onLost }: HoldOptions,
  ) {
    this.id = entity.id;
    this.#store = store;
    this.#length = length;
    this.#leaseMs = length.ms;
    this.#createdAt = entity.createdAt;
    this.#since = entity.since;
    this.#state = entity.state;
    this.#isFenced = version !== undefined;
    this.#version = entity.version;
    this.#onLost = onLost;
    this.#confirmedUntil = asked + length.ms;
    this.#watch();
    this.#renewIn(this.#leaseMs / 3);
  }

  /** Aborted the moment that the lease is lost; its reason is a {@link LeaseLostError}. Not by `close`. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** The version that was last confirmed. */
  get version(): number {
    return this.#version;
  }

  /**
   * Makes a change of one's own while no renewal is under way, and holds the version that it made. A change that leaves
   * the state ends the hold.
   *
   * A version can come again, where the id was removed and created anew or the server lost its last changes. A change that
   * shows this is made, and the lease is lost. Where a change is refused the lease is renewed at once, so that a loss is
   * told before the refusal is thrown.
   *
   * @param make makes it, with `ifVersion` as given. Nothing is renewed until it ends: where it takes longer than the
   * lease, the lease is lost, so do the work before, and only the change in here.
   * @throws LeaseLostError when the lease is lost already, ContractError when it is closed (code CLOSED) or `make` calls
   * `change` or `close` of the same hold (code NESTED); else what `make` throws
   * @example await hold.change((ifVersion) => agents.patch("a1", { set: { step: 2 }, ifVersion }));
   */
  async change<C extends Change<S> | Replay<S>>(make: (ifVersion: number) => Promise<C>): Promise<C> {
    this.#refuseInside("change");
    return this.#inTurn(async () => {
      this.#lost.signal.throwIfAborted();
      if (this.#isClosed) throw new ContractError("CLOSED", `the hold of ${this.id} is closed`);
      const held = this.#version;
      const change = await inside(this, async () => make(held)).catch(async (error: unknown) => {
        if (error instanceof RefusedError) await this.#renew();
        throw error;
      });
      this.#version = change.version;
      const other = this.#otherStay(change, held);
      if (other !== undefined) this.#lose(other, change, undefined);
      else if (change.state !== this.#state || change.since !== this.#since || this.#removes(change))
        this.#stop();
      return change;
    });
  }

  /**
   * Stops renewing. The lease itself runs on to its end.
   *
   * @throws ContractError with code NESTED when it is called inside `change`, for whose end it waits.
   */
  async close(): Promise<void> {
    this.#refuseInside("close");
    this.#stop();
    await this.#turn.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #refuseInside(what: "change" | "close"): void {
    if (!isInside(this)) return;
    const message = `${what} of the hold of ${this.id} was called inside its change, and would wait for itself`;
    throw new ContractError("NESTED", `${message}; call it after that`);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work, work);
    this.#turn = done.catch(() => {});
    return done;
  }

  #renewIn(ms: number): void {
    clearTimeout(this.#next);
    if (this.#isClosed) return;
    this.#next = setTimeout(() => void this.#inTurn(() => this.#renew()), Math.min(ms, LONGEST_TIMER_MS));
  }

  /** Ends the hold at the lease's own end, where nothing is confirmed until then. */
  #watch(): void {
    clearTimeout(this.#end);
    if (this.#isClosed) return;
    const leftMs = this.#confirmedUntil - performance.now();
    // The answer came later than the lease ends: not even for a moment may anybody believe to hold it.
    if (leftMs <= 0) {
      this.#lose("no renewal was confirmed before its end", null, this.#failure);
      return;
    }
    this.#end = setTimeout(
      () => {
        if (performance.now() < this.#confirmedUntil) return this.#watch();
        this.#lose("no renewal was confirmed before its end", null, this.#failure);
      },
      Math.min(leftMs + 1, LONGEST_TIMER_MS),
    );
  }

  async #renew(): Promise<void> {
    if (this.#isClosed) return;
    const asked = performance.now();
    try {
      const guard = this.#isFenced ? { ifVersion: this.#version } : { ifState: this.#state };
      const timeout = Math.ceil(Math.min(this.#leaseMs * ANSWER_PART, this.#store.connection.timeoutMs));
      const result = await heartbeat<S>(this.#store, this.id, { ...guard, timeout });
      if (this.#isClosed) return;
      if (!result.ok) return this.#lose(result.error.message, result.current, result.error);
      const { document } = result;
      if (document.since !== this.#since) {
        return this.#lose(`it was entered anew at ${document.since}`, document, undefined);
      }
      this.#version = document.version;
      const known = this.#length;
      this.#length = await leaseLength(this.#store, this.id, this.#state, known, timeout);
      if (this.#isClosed) return;
      const { ms } = this.#length;
      if (ms === undefined) {
        return this.#lose("a newer version of the machine took it away", document, undefined);
      }
      this.#failure = undefined;
      // Which of the two the server counted is not known. It does so from when it was reached, not before it was asked;
      // and what it has confirmed once never comes nearer.
      this.#leaseMs = Math.min(known.ms ?? ms, ms);
      this.#confirmedUntil = Math.max(this.#confirmedUntil, asked + this.#leaseMs);
      this.#watch();
      this.#renewIn(this.#leaseMs / 3);
    } catch (error) {
      if (this.#isClosed) return;
      if (error instanceof ContractError) return this.#lose(error.message, null, error);
      this.#failure = error; // told if the lease ends over it
      this.#renewIn(this.#leaseMs * RETRY_PART);
    }
  }

  /** Why a change shows that what it met was not what is held, though at the same version. */
  #otherStay(change: Change | Replay, version: number): string | undefined {
    const { createdAt, since, from, type } = change;
    if (createdAt !== this.#createdAt) return `it was created anew, at ${createdAt}`;
    // A replay shows the entity as it is now, not what its change met.
    if (from === undefined) return undefined;
    const stays = type === `${this.#store.place.machine}.updated` || this.#removes(change);
    if (from === this.#state && (since === this.#since || !stays)) return undefined;
    return `it was ${from} at version ${version} too, since ${since}`;
  }

  #removes({ type }: Change | Replay): boolean {
    return type === `${this.#store.place.machine}.removed`;
  }

  #lose(why: string, current: Snapshot | null, cause: unknown): void {
    if (this.#isClosed) return;
    this.#stop();
    const { connection, place } = this.#store;
    const { machine } = place;
    const message = `the lease of ${machine} ${this.id} is lost: ${why}`;
    connection.logger.warn({ machine, id: this.id, why }, "lease lost");
    const lost = new LeaseLostError(message, machine, this.id, current, cause);
    this.#lost.abort(lost);
    tell(connection.logger, `of the lease of ${machine} ${this.id}`, this.#onLost, lost);
  }

  #stop(): void {
    this.#isClosed = true;
    clearTimeout(this.#next);
    clearTimeout(this.#end);
  }
}
