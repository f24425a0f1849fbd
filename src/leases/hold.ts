import type { Change, Replay, Snapshot } from "../contract/document.js";
import { ConnectError } from "../errors/connect-error.js";
import { ContractError } from "../errors/latchkey-error.js";
import { LeaseLostError } from "../errors/lease-lost-error.js";
import { NotExecutedError, type OutcomeUnknownError } from "../errors/outcome-errors.js";
import { RejectedError } from "../errors/rejected-errors.js";
import { tell } from "../valkey/failed-listener.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { heartbeat } from "./heartbeat.js";
import { HeldState } from "./held-state.js";
import {
  changeBehind,
  changeGiven,
  type Given,
  isOvertaken,
  leavesOpen,
  overtakenChange,
} from "./hold-change.js";
import type { LeaseLength } from "./lease-length.js";
import { LeaseTimes } from "./lease-times.js";
import { inside, isInside } from "./reentrancy.js";

/** How to hold an entity. */
export interface HoldOptions {
  /**
   * The version that is held: any change by anyone else is a loss. Own changes go through `hold.change`. Without it,
   * the entity's stay in its present state is held, whatever is patched meanwhile.
   */
  readonly version?: number;
  /** Told once, the moment that the lease is lost. Not where latchkey is closed: that only `signal` tells. */
  readonly onLost?: (lost: LeaseLostError) => void;
}

/**
 * Renews the lease of an entity by itself, at a third of its length, until it is closed or lost, or latchkey is closed.
 * Made by `agents.hold(id)`.
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
  readonly #store: MachineStore;
  readonly #stay: HeldState<S>;
  readonly #onLost: ((lost: LeaseLostError) => void) | undefined;
  readonly #over = new AbortController();
  readonly #times: LeaseTimes;
  #isClosed = false;
  /** Renewals and own changes, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Of the last change of one's own, while it is not known whether it was made. */
  #unknown: OutcomeUnknownError | undefined;
  #failure: unknown;
  #forget = (): void => {};

  constructor(
    store: MachineStore,
    length: LeaseLength & { readonly ms: number },
    entity: Snapshot<S>,
    asked: number,
    { version, onLost }: HoldOptions,
  ) {
    this.id = entity.id;
    this.#store = store;
    this.#stay = new HeldState(store.location, entity, version !== undefined);
    this.#onLost = onLost;
    this.#times = new LeaseTimes(
      store,
      entity,
      length,
      () => void this.#inTurn(() => this.#renew()),
      () => this.#lose("no renewal was confirmed before its end", null, this.#failure),
    );
    this.#times.countFrom(asked);
    if (!this.#isClosed) this.#forget = store.connection.beforeClose(async () => this.#endWithLatchkey());
  }

  /**
   * Aborted the moment that the lease is lost; its reason is a {@link LeaseLostError}. And when latchkey is closed, since
   * nothing is renewed from then on; its reason is a {@link ConnectError}. Not by `close`.
   */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** The version that was last confirmed. */
  get version(): number {
    return this.#stay.version;
  }

  /**
   * Makes a change of one's own while no renewal is under way, and holds the version that it made. A change that leaves
   * the state ends the hold.
   *
   * A change that was made is never a loss, whatever is thrown: not one that is not durable, nor one whose answer was lost.
   * What became of the latter the hold finds out by itself, and makes no other before.
   *
   * A version can come again, where the id was removed and created anew or the server lost its last changes. A change that
   * shows this is made, and the lease is lost. Where a change is refused the lease is renewed at once, so that a loss is
   * told before the refusal is thrown.
   *
   * @param make makes it, with `ifVersion` as given, and returns what its call returned; that may be a `try…` call.
   * Nothing is renewed until it ends: where it takes longer than the lease, the lease is lost, so do the work before, and
   * only the change in here.
   * @throws LeaseLostError when the lease is lost already, ConnectError when latchkey is closed, ContractError when the hold
   * is closed (code CLOSED), `make` calls `change` or `close` of it (code NESTED), or returns no change of the entity (code
   * BADARG); NotExecutedError, without calling `make`, when it can't be told yet what became of the change before; else
   * what `make` throws
   * @example await hold.change((ifVersion) => agents.patch("a1", { set: { step: 2 }, ifVersion }));
   */
  async change<C extends Given<S>>(make: (ifVersion: number) => Promise<C>): Promise<C> {
    this.#refuseInside("change");
    return this.#inTurn(async () => {
      this.#refuseWhenOver();
      await this.#findOut().catch((cause: unknown) => {
        const what = `${this.#store.location.machine} ${this.id} was not changed`;
        const why = "what became of the change before it can't be told yet; try again";
        const error = new NotExecutedError(`${what}: ${why}`, "");
        error.cause = cause;
        throw error;
      });
      this.#refuseWhenOver();
      try {
        const given = await inside(this, async () => make(this.#stay.version));
        const change = changeGiven(this.#store, this.id, given);
        if (change === undefined) await this.#renew();
        else await this.#adopt(change);
        return given;
      } catch (error) {
        await this.#take(error);
        throw error;
      }
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

  /** Closes the hold at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #refuseInside(what: "change" | "close"): void {
    if (!isInside(this)) return;
    const message = `${what} of the hold of ${this.id} was called inside its change, and would wait for itself`;
    throw new ContractError("NESTED", `${message}; call it after that`);
  }

  #refuseWhenOver(): void {
    this.#over.signal.throwIfAborted();
    if (this.#isClosed) throw new ContractError("CLOSED", `the hold of ${this.id} is closed`);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work, work);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #renew(): Promise<void> {
    if (this.#isClosed) return;
    try {
      const [found] = await Promise.allSettled([this.#findOut()]);
      if (this.#isClosed) return;
      const asked = performance.now();
      const timeout = this.#times.answerMs;
      const result = await heartbeat<S>(this.#store, this.id, { ...this.#stay.guard, timeout });
      if (this.#isClosed) return;
      const current = result.ok ? result.document : result.current;
      const why = result.ok ? this.#stay.renewed(result.document) : result.error.message;
      if (why !== undefined) {
        if (found.status === "rejected") throw found.reason; // it may be for one's own change
        if (result.outcome === "EXPIRED") throw result.error; // says nothing of the lease
        return this.#lose(why, current, result.ok ? undefined : result.error);
      }
      this.#failure = undefined;
      const isLease = await this.#times.renewed(asked, timeout);
      if (!isLease) return this.#lose("a newer version of the machine took it away", current, undefined);
    } catch (error) {
      if (this.#isClosed) return;
      if (error instanceof ContractError) return this.#lose(error.message, null, error);
      this.#failure = error; // told if the lease ends over it
      this.#times.renewAgain();
    }
  }

  /** A change of one's own failed, for its caller. For the hold that depends on whether it was made. */
  async #take(error: unknown): Promise<void> {
    const change = changeBehind(this.#store, this.id, error);
    if (change !== undefined) await this.#adopt(change);
    else if (leavesOpen(this.#store, this.id, error)) {
      this.#unknown = error;
      this.#times.renewAtOnce();
    } else if (error instanceof RejectedError || error instanceof ContractError) await this.#renew();
  }

  /**
   * Asks what became of a change of one's own of which that is not known.
   *
   * @throws what `resolve` throws: it can't be told yet
   */
  async #findOut(): Promise<void> {
    const resolution = await this.#unknown?.resolve({ timeout: this.#times.answerMs });
    this.#unknown = undefined;
    if (resolution?.outcome === "DONE") await this.#adopt(resolution.document);
  }

  /** Goes on from a change of one's own. */
  async #adopt(told: Change | Replay): Promise<void> {
    const change = isOvertaken(told) ? await overtakenChange(this.#store, told) : told;
    const standing = this.#stay.changed(change);
    if (standing === "left") this.#stop();
    else if (standing !== "held") this.#lose(standing.lost, change, undefined);
    else if (isOvertaken(told)) await this.#renew();
  }

  #lose(why: string, current: Snapshot | null, cause: unknown): void {
    if (this.#isClosed) return;
    this.#stop();
    const { connection, location } = this.#store;
    const { machine } = location;
    const message = `the lease of ${machine} ${this.id} is lost: ${why}`;
    connection.logger.warn({ machine, id: this.id, why }, "lease lost");
    const lost = new LeaseLostError(message, machine, this.id, current, cause);
    this.#over.abort(lost);
    tell(connection.logger, `of the lease of ${machine} ${this.id}`, this.#onLost, lost);
  }

  /** Nothing is lost, but whoever works on by the signal has no renewal any more. */
  #endWithLatchkey(): void {
    this.#stop();
    this.#over.abort(new ConnectError(this.#store.connection.address, "ended"));
  }

  #stop(): void {
    this.#isClosed = true;
    this.#forget();
    this.#times.stop();
  }
}
