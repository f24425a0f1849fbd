import { LONGEST_TIMER_MS } from "../valkey/deadline.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { type LeaseLength, leaseLength } from "./lease-length.js";

/** A lease is renewed after this part of it. */
const RENEWAL_PART = 1 / 3;
/** A renewal has this part of the lease to be answered, repeated attempts included. */
const ANSWER_PART = 1 / 6;
/** So long after a renewal without an answer the next one begins. */
const RETRY_PART = 1 / 12;

/** When a lease that is held is to be renewed, and when it ends, by a clock of this process that nobody sets. */
export class LeaseTimes {
  readonly #store: MachineStore;
  readonly #id: string;
  readonly #state: string;
  readonly #renew: () => void;
  readonly #end: () => void;
  /** As it was last read. */
  #length: LeaseLength;
  /** What the last renewal counts. */
  #leaseMs: number;
  #confirmedUntil = Number.NEGATIVE_INFINITY;
  #isStopped = false;
  #renewal: NodeJS.Timeout | undefined;
  #ending: NodeJS.Timeout | undefined;

  /**
   * @param renew called when it is to be renewed
   * @param end called when nothing was confirmed before its end
   */
  constructor(
    store: MachineStore,
    { id, state }: { readonly id: string; readonly state: string },
    length: LeaseLength & { readonly ms: number },
    renew: () => void,
    end: () => void,
  ) {
    this.#store = store;
    this.#id = id;
    this.#state = state;
    this.#length = length;
    this.#leaseMs = length.ms;
    this.#renew = renew;
    this.#end = end;
  }

  /** How long each answer is waited for, in ms. */
  get answerMs(): number {
    return Math.ceil(Math.min(this.#leaseMs * ANSWER_PART, this.#store.connection.timeoutMs));
  }

  /** It counts from when the server was reached, not before it was asked. */
  countFrom(asked: number): void {
    // What was confirmed once never comes nearer.
    this.#confirmedUntil = Math.max(this.#confirmedUntil, asked + this.#leaseMs);
    this.#watch();
    this.#renewIn(this.#leaseMs * RENEWAL_PART);
  }

  /**
   * It was renewed: reads how long that is for.
   *
   * @returns false where there is no lease any more
   */
  async renewed(asked: number, timeoutMs: number): Promise<boolean> {
    const known = this.#length;
    this.#length = await leaseLength(this.#store, this.#id, this.#state, known, timeoutMs);
    const { ms } = this.#length;
    if (ms === undefined) return false;
    this.#leaseMs = Math.min(known.ms ?? ms, ms); // which of the two the server counted is not known
    this.countFrom(asked);
    return true;
  }

  /** There was no answer. */
  renewAgain(): void {
    this.#renewIn(this.#leaseMs * RETRY_PART);
  }

  renewAtOnce(): void {
    this.#renewIn(0);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#renewal);
    clearTimeout(this.#ending);
  }

  #renewIn(ms: number): void {
    clearTimeout(this.#renewal);
    if (!this.#isStopped) this.#renewal = setTimeout(this.#renew, Math.min(ms, LONGEST_TIMER_MS));
  }

  #watch(): void {
    clearTimeout(this.#ending);
    if (this.#isStopped) return;
    const leftMs = this.#confirmedUntil - performance.now();
    // Also where the answer came later than that: not even for a moment may anybody believe to hold it.
    if (leftMs <= 0) this.#end();
    else this.#ending = setTimeout(() => this.#watch(), Math.min(leftMs + 1, LONGEST_TIMER_MS));
  }
}
