import type { Change, Replay, Snapshot } from "../contract/document.js";
import type { Fields } from "../contract/own-fields.js";
import { ClosedError } from "../errors/closed-error.js";
import { codeOf } from "../errors/code-of.js";
import { ContractError } from "../errors/latchkey-error.js";
import { LeaseLostError } from "../errors/lease-lost-error.js";
import { NoLeaseError } from "../errors/no-lease-error.js";
import { NotExecutedError, type OutcomeUnknownError } from "../errors/outcome-errors.js";
import { callListener } from "../valkey/failed-listener.js";
import { type ChangeResult, HeldState } from "./held-state.js";
import { checkHold, type HoldOptions } from "./hold-options.js";
import type { LeaseLength } from "./lease-length.js";
import type { LeaseSource } from "./lease-source.js";
import { LeaseTimes } from "./lease-times.js";
import { type Moment, now } from "./moment.js";
import { SerialQueue } from "./serial-queue.js";

export type { HoldOptions } from "./hold-options.js";

/** Codes of errors that end a call with a certain outcome, which a renewal can explain. */
const DEFINITE = new Set([
  ...["ILLEGAL", "CONFLICT", "NOTFOUND", "EXISTS", "MISSING", "EXPIRED", "FORGOTTEN"],
  ...["BADARG", "NOMACHINE", "NOREACTION", "PARTITIONS", "CLOSED", "NESTED"],
]);

/** Renews the lease of an entity's current state once, and from then on automatically. */
export async function hold<S extends string, F extends object = Fields>(
  source: LeaseSource<S>,
  id: string,
  options: HoldOptions,
): Promise<Hold<S, F>> {
  checkHold(options);
  const { version } = options;
  const sent = now();
  const result = await source.heartbeat(id, version === undefined ? {} : { ifVersion: version });
  if (!result.ok) throw result.error;
  const { document } = result;
  const { ms, version: machineVersion } = await source.leaseLength(id, document.state);
  if (ms === undefined) throw new NoLeaseError(source.machine, document);
  return new Hold<S, F>(source, { ms, version: machineVersion }, document, sent, options);
}

/**
 * Renews the lease of an entity automatically, after each third of its length, until the hold is closed, the lease is
 * lost, or latchkey is closed. Returned by `agents.hold(id)`.
 *
 * The lease is lost if the server rejects a renewal, because someone else changed the entity, it left the state or it no
 * longer exists, and if no renewal was confirmed before the lease ended on the process's monotonic clock.
 *
 * @example
 * const hold = await agents.hold("a1", { version: agent.version });
 * try { await work({ signal: hold.signal }); } finally { await hold.close(); }
 */
export class Hold<S extends string = string, F extends object = Fields> implements AsyncDisposable {
  readonly id: string;
  readonly #source: LeaseSource<S>;
  readonly #state: HeldState<S>;
  readonly #onLost: ((lost: LeaseLostError) => void) | undefined;
  readonly #ending = new AbortController();
  readonly #times: LeaseTimes;
  /** Runs renewals and own changes in sequence. */
  readonly #queue = new SerialQueue();
  #isClosed = false;
  /** The last own change while its outcome is unknown. */
  #unknownChange: OutcomeUnknownError | undefined;
  #failure: unknown;
  #removeHook = (): void => {};

  constructor(
    source: LeaseSource<S>,
    length: LeaseLength & { readonly ms: number },
    entity: Snapshot<S>,
    sent: Moment,
    { version, onLost }: HoldOptions,
  ) {
    this.id = entity.id;
    this.#source = source;
    this.#state = new HeldState(source, entity, version !== undefined);
    this.#onLost = onLost;
    this.#times = new LeaseTimes(
      source,
      entity,
      length,
      () => void this.#queue.run(() => this.#renew()),
      () => this.#lose("no renewal was confirmed before its end", null, this.#failure),
    );
    this.#times.start(sent);
    if (!this.#isClosed) this.#removeHook = source.beforeClose(async () => this.#endWithLatchkey());
  }

  /**
   * Aborts when the lease is lost, with a {@link LeaseLostError}, and when latchkey is closed, with a
   * {@link ClosedError}. `close` does not abort it.
   */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /**
   * False while the lease may be lost although nothing proves it: the wall clock ran ahead of the monotonic clock, because
   * the host was suspended (laptop lid, paused virtual machine) or its clock was set. The hold renews at once, and is sure
   * again when the server has confirmed the lease. Also false after the end of the hold.
   */
  get isSure(): boolean {
    return !this.#isClosed && this.#times.isSure;
  }

  /** Version that was last confirmed. */
  get version(): number {
    return this.#state.version;
  }

  /**
   * Makes an own change between two renewals, and holds the version that it makes. The hold ends if the change leaves
   * the state.
   *
   * An applied change never loses the lease, even if its call throws NotDurableError. If its outcome is unknown, the hold
   * resolves it before the next own change. If a change is rejected, the lease is renewed at once, so that `onLost` is
   * called before the rejection is thrown. Versions can repeat: after the id was removed and created again, and after
   * the server lost its last changes. If an own change shows this, it is applied and the lease is lost.
   *
   * @param make makes the change with the given `ifVersion` and returns the result of its call, which may be a `try…`
   * call. Nothing is renewed while it runs. If it takes longer than the lease, the lease is lost: do the work before it.
   * @throws LeaseLostError if the lease was lost; ClosedError if latchkey is closed; ContractError if the hold is closed
   * (code CLOSED), if `make` calls `change` or `close` of this hold (NESTED) or does not return a change of the entity
   * (BADARG); NotExecutedError, without calling `make`, if the outcome of the previous change is still unknown; else
   * the error that `make` throws
   * @example await hold.change((ifVersion) => agents.patch("a1", { set: { step: 2 }, ifVersion }));
   */
  async change<C extends ChangeResult<S, F>>(make: (ifVersion: number) => Promise<C>): Promise<C> {
    this.#rejectInCallback("change");
    return this.#queue.run(async () => {
      this.#rejectIfEnded();
      await this.#resolveChange().catch((cause: unknown) => {
        const name = `${this.#source.machine} ${this.id}`;
        const message = `${name} was not changed: the outcome of the previous change is still unknown; try again`;
        throw Object.assign(new NotExecutedError(message, ""), { cause });
      });
      this.#rejectIfEnded();
      try {
        const returned = await this.#queue.callBack(async () => make(this.#state.version));
        const change = this.#state.changeFrom(returned);
        await (change === undefined ? this.#renew() : this.#accept(change));
        return returned;
      } catch (error) {
        await this.#handleFailure(error);
        throw error;
      }
    });
  }

  /**
   * Stops renewing. The lease itself lasts until its end.
   *
   * @throws ContractError with code NESTED if it is called from the callback of `change`: it would wait for itself
   */
  async close(): Promise<void> {
    this.#rejectInCallback("close");
    this.#stop();
    await this.#queue.drain();
  }

  /** Closes the hold at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #rejectInCallback(method: "change" | "close"): void {
    if (!this.#queue.isInCallback) return;
    const message = `${method} of the hold of ${this.id} would wait for its own caller, the callback of change`;
    throw new ContractError("NESTED", `${message}; call it after the callback`);
  }

  #rejectIfEnded(): void {
    this.signal.throwIfAborted();
    if (this.#isClosed) throw new ContractError("CLOSED", `the hold of ${this.id} is closed`);
  }

  async #renew(): Promise<void> {
    if (this.#isClosed) return;
    try {
      const [resolution] = await Promise.allSettled([this.#resolveChange()]);
      if (this.#isClosed) return;
      const sent = now();
      const timeout = this.#times.timeoutMs;
      const result = await this.#source.heartbeat(this.id, { ...this.#state.guard, timeout });
      if (this.#isClosed) return;
      const current = result.ok ? result.document : result.current;
      const why = result.ok ? this.#state.acceptRenewal(result.document) : result.error.message;
      if (why !== undefined) {
        if (resolution.status === "rejected") throw resolution.reason; // an own change may explain it
        if (result.outcome === "EXPIRED") throw result.error; // proves nothing about the lease
        return this.#lose(why, current, result.ok ? undefined : result.error);
      }
      this.#failure = undefined;
      if (!(await this.#times.restart(sent, timeout)))
        this.#lose("its state has no lease in the installed version", current, undefined);
    } catch (error) {
      if (this.#isClosed) return;
      if (error instanceof ContractError) return this.#lose(error.message, null, error);
      this.#failure = error; // the cause if the lease ends before a renewal succeeds
      this.#times.retry();
    }
  }

  /** Updates the hold after an own change threw an error, which does not prove that the change was not applied. */
  async #handleFailure(error: unknown): Promise<void> {
    const change = this.#state.changeBehind(error);
    if (change !== undefined) await this.#accept(change);
    else if (this.#state.leavesUnknown(error)) {
      this.#unknownChange = error;
      this.#times.renewNow();
    } else if (DEFINITE.has(codeOf(error))) await this.#renew();
  }

  /** Resolves the outcome of an own change if it is unknown. Throws if the server does not reply. */
  async #resolveChange(): Promise<void> {
    const resolution = await this.#unknownChange?.resolve({ timeout: this.#times.timeoutMs });
    this.#unknownChange = undefined;
    if (resolution?.outcome === "DONE") await this.#accept(resolution.document);
  }

  async #accept(change: Change | Replay): Promise<void> {
    const standing = await this.#state.acceptChange(change);
    if (standing === "left") this.#stop();
    else if (standing === "unconfirmed") await this.#renew();
    else if (standing !== "held") this.#lose(standing.lost, standing.current, undefined);
  }

  #lose(why: string, current: Snapshot | null, cause: unknown): void {
    if (this.#isClosed) return;
    this.#stop();
    const { machine, logger } = this.#source;
    const lease = `the lease of ${machine} ${this.id}`;
    logger.warn({ machine, id: this.id, why }, "lease lost");
    const lost = new LeaseLostError(`${lease} is lost: ${why}`, machine, this.id, current, cause);
    this.#ending.abort(lost);
    callListener(logger, `of ${lease}`, this.#onLost, lost);
  }

  /** Aborts the signal although the lease is not lost: it is not renewed any more. */
  #endWithLatchkey(): void {
    this.#stop();
    this.#ending.abort(new ClosedError());
  }

  #stop(): void {
    this.#isClosed = true;
    this.#removeHook();
    this.#times.stop();
  }
}
