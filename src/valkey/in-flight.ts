import { ClosedError } from "../errors/closed-error.js";
import type { Deadline } from "./deadline.js";
import { performance } from "./real-time.js";

/** A call that waits for its turn. */
interface Waiter {
  readonly deadline: Deadline;
  readonly start: () => void;
  readonly reject: (error: Error) => void;
}

const LONGEST_FIRST_WINDOW_MS = 1_000;
/** Share of a call's time in which its first attempt may be executed. */
const WINDOW_SHARE = 0.25;

/** Returns the time in which the first attempt of a call may be executed, in ms. It is rejected after that. */
export function firstWindowMs(timeoutMs: number): number {
  return Math.min(LONGEST_FIRST_WINDOW_MS, WINDOW_SHARE * timeoutMs);
}

/** Share of that time which an attempt may spend behind others at the server. */
const QUEUE_SHARE = 0.1;

/** The limit begins here, and doubles with each round trip for as long as the server answers quickly. */
const FIRST_LIMIT = 16;

/**
 * Limits the calls in flight, so that each is answered soon after it was sent, however many wait: a call that waits here
 * has not started, and can end without an effect. The limit follows the latency that the server shows, as in TCP
 * Vegas (Brakmo, O'Malley and Peterson, SIGCOMM 1994): it grows while replies arrive early and shrinks when they are late.
 */
export class InFlight {
  readonly #most: number;
  readonly #queueMs: number;
  readonly #waiters: Waiter[] = [];
  #first = 0;
  #limit: number;
  #count = 0;
  /** Shortest latency seen, in ms: that of an idle server. */
  #idleMs = Number.POSITIVE_INFINITY;
  /** Calls that were sent before this moment say nothing about the present limit. */
  #changedAt = 0;
  #latencyMs = 0;

  /**
   * @param most largest number of calls in flight
   * @param timeoutMs usual timeout of a call, in ms
   */
  constructor(most: number, timeoutMs: number) {
    this.#most = most;
    this.#queueMs = QUEUE_SHARE * firstWindowMs(timeoutMs);
    this.#limit = Math.min(FIRST_LIMIT, most);
  }

  /** Number of calls that wait for their turn. */
  get waiting(): number {
    return this.#waiters.length - this.#first;
  }

  /** Takes a place if one is free. Otherwise call {@link wait}. */
  tryEnter(): boolean {
    if (this.#count >= this.#limit || this.waiting > 0) return false;
    this.#count += 1;
    return true;
  }

  /**
   * Waits for a place, in the order of the calls. A call whose time cannot suffice any more gets none: the promise stays
   * pending, and its deadline ends it.
   *
   * @param isRetry true for a call that had a place before: it goes first
   * @throws the error of `close` if it comes first
   */
  wait(deadline: Deadline, isRetry = false): Promise<void> {
    return new Promise((start, reject) => {
      const waiter = { deadline, start, reject };
      if (!isRetry) this.#waiters.push(waiter);
      else if (this.#first === 0) this.#waiters.unshift(waiter);
      else {
        this.#first -= 1;
        this.#waiters[this.#first] = waiter;
      }
    });
  }

  /** Rejects all calls that wait. */
  close(error: Error = new ClosedError()): void {
    for (const { reject } of this.#waiters.splice(0).slice(this.#first)) reject(error);
    this.#first = 0;
  }

  /** Runs a call when a place is free. */
  async run<T>(deadline: Deadline, call: () => Promise<T>): Promise<T> {
    if (!this.tryEnter()) await this.wait(deadline);
    try {
      return await call();
    } finally {
      this.leave();
    }
  }

  /**
   * Frees a place.
   *
   * @param sentAt time at which the call was sent, by `performance.now()`; undefined if it got no reply
   */
  leave(sentAt?: number): void {
    if (sentAt !== undefined) this.#learn(sentAt);
    this.#count -= 1;
    while (this.#count < this.#limit && this.waiting > 0) this.#startNext();
  }

  #startNext(): void {
    const waiter = this.#waiters[this.#first];
    this.#first += 1;
    if (this.#first > 1_000 && this.#first * 2 > this.#waiters.length) {
      this.#waiters.splice(0, this.#first);
      this.#first = 0;
    }
    const neededMs = 2 * this.#latencyMs + this.#queueMs;
    if (waiter === undefined || waiter.deadline.remainingMs <= neededMs) return;
    this.#count += 1;
    waiter.start();
  }

  #learn(sentAt: number): void {
    const now = performance.now();
    const latencyMs = now - sentAt;
    this.#latencyMs += (latencyMs - this.#latencyMs) / 8;
    this.#idleMs = Math.min(this.#idleMs, latencyMs);
    const longestMs = 2 * this.#idleMs + this.#queueMs;
    if (latencyMs <= longestMs) {
      if (this.#count >= this.#limit) this.#limit = Math.min(this.#most, this.#limit + 1);
    } else if (sentAt >= this.#changedAt) {
      this.#limit = Math.max(1, Math.floor((this.#limit * longestMs) / latencyMs));
      this.#changedAt = now;
    }
  }
}
