import { LONGEST_TIMER_MS } from "../valkey/deadline.js";
import { clearTimeout, setTimeout } from "../valkey/real-time.js";
import type { LeaseLength } from "./lease-length.js";
import type { LeaseSource } from "./lease-source.js";
import { isApart, type Moment, now } from "./moment.js";

/** Share of the lease length after which it is renewed. */
const RENEWAL_SHARE = 1 / 3;
/** Share of the lease length allotted to one renewal, retries included. */
const TIMEOUT_SHARE = 1 / 6;
/** Share of the lease length before the next renewal if one got no reply. */
const RETRY_SHARE = 1 / 12;
/** Longest time between two comparisons of the clocks. */
const WATCH_MS = 1_000;

/**
 * Schedules the renewals and the end of a lease, by the process's monotonic clock. If that may have stood still, it asks
 * the server at once.
 */
export class LeaseTimes {
  readonly #source: LeaseSource;
  readonly #id: string;
  readonly #state: string;
  readonly #renew: () => void;
  readonly #expire: () => void;
  /** The length that was read last. */
  #length: LeaseLength;
  /** The length that the last renewal got. */
  #leaseMs: number;
  #confirmedUntil = Number.NEGATIVE_INFINITY;
  /** The time at which the last confirmed renewal was sent; undefined if the clocks differ since, as was noticed. */
  #confirmed: Moment | undefined;
  #isStopped = false;
  #renewalTimer: NodeJS.Timeout | undefined;
  #expiryTimer: NodeJS.Timeout | undefined;

  /**
   * @param renew called when a renewal is due
   * @param expire called if no renewal was confirmed before the lease ended
   */
  constructor(
    source: LeaseSource,
    { id, state }: { readonly id: string; readonly state: string },
    length: LeaseLength & { readonly ms: number },
    renew: () => void,
    expire: () => void,
  ) {
    this.#source = source;
    this.#id = id;
    this.#state = state;
    this.#length = length;
    this.#leaseMs = length.ms;
    this.#renew = renew;
    this.#expire = expire;
  }

  /** Time limit of one request to the server, in ms. */
  get timeoutMs(): number {
    return Math.ceil(Math.min(this.#leaseMs * TIMEOUT_SHARE, this.#source.timeoutMs));
  }

  /** True if nothing has shaken the server's last confirmation. */
  get isSure(): boolean {
    if (this.#isStopped || this.#confirmed === undefined) return false;
    const moment = now();
    return moment.at < this.#confirmedUntil && !isApart(moment, this.#confirmed);
  }

  /** Starts a lease at the time at which its renewal was sent, which is never after the server's own start. */
  start(sent: Moment): void {
    // A confirmed end never moves closer.
    this.#confirmedUntil = Math.max(this.#confirmedUntil, sent.at + this.#leaseMs);
    this.#confirmed = sent;
    this.#renewIn(this.#leaseMs * RENEWAL_SHARE);
    this.#watch();
  }

  /** Starts the lease again after a renewal, with its current length. Returns false if the state has no lease any more. */
  async restart(sent: Moment, timeoutMs: number): Promise<boolean> {
    const known = this.#length;
    this.#length = await this.#source.leaseLength(this.#id, this.#state, known, timeoutMs);
    const { ms } = this.#length;
    if (ms === undefined) return false;
    this.#leaseMs = Math.min(known.ms ?? ms, ms); // the server may have used either length
    this.start(sent);
    return true;
  }

  /** Schedules the next renewal after one that got no reply. */
  retry(): void {
    const pauseMs = this.#leaseMs * RETRY_SHARE;
    this.#renewIn(this.#confirmed === undefined ? Math.min(pauseMs, WATCH_MS) : pauseMs);
  }

  /** Schedules a renewal now. */
  renewNow(): void {
    this.#renewIn(0);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#renewalTimer);
    clearTimeout(this.#expiryTimer);
  }

  #renewIn(ms: number): void {
    clearTimeout(this.#renewalTimer);
    if (!this.#isStopped) this.#renewalTimer = setTimeout(this.#renew, Math.min(ms, LONGEST_TIMER_MS));
  }

  #watch(): void {
    clearTimeout(this.#expiryTimer);
    if (this.#isStopped) return;
    const moment = now();
    const leftMs = this.#confirmedUntil - moment.at;
    // Expires at once if the reply came too late: nobody may believe for a moment that the lease is held.
    if (leftMs <= 0) {
      this.#expire();
      return;
    }
    this.#expiryTimer = setTimeout(() => this.#watch(), Math.min(leftMs + 1, WATCH_MS));
    if (this.#confirmed === undefined || !isApart(moment, this.#confirmed)) return;
    this.#confirmed = undefined;
    const fields = { machine: this.#source.machine, id: this.#id };
    this.#source.logger.warn(fields, "the clock jumped or the host was suspended; renewing the lease");
    this.renewNow();
  }
}
