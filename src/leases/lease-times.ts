import { parseCompiledMachine } from "../machine/compile.js";
import { stateOf } from "../machine/compiled.js";
import { notInstalled } from "../reads/installed-machine.js";
import { ask } from "../valkey/ask.js";
import { LONGEST_TIMER_MS } from "../valkey/deadline.js";
import { partitionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { partitionOf } from "../valkey/partition.js";
import { clearTimeout, setTimeout } from "../valkey/real-time.js";
import { isApart, type Moment, now } from "./moment.js";

/** Length of a state's lease in one version of the machine. */
export interface LeaseLength {
  readonly version: string;
  /** Undefined if the state has no lease in this version. */
  readonly ms: number | undefined;
}

/**
 * Reads the length of a lease from the entity's own partition, because a new version reaches the partitions one by one.
 *
 * @param known the length that was read before; returned if the version is unchanged
 * @throws ContractError with code NOMACHINE if the machine is not installed, NotExecutedError if the server did not reply
 */
export async function readLeaseLength(
  { connection, location, recover }: MachineStore,
  id: string,
  state: string,
  known?: LeaseLength,
  timeoutMs = connection.timeoutMs,
): Promise<LeaseLength> {
  const { machine } = partitionKeys(location, partitionOf(id, location.partitions));
  return ask(
    connection,
    `the lease of ${location.machine} ${id}`,
    async (client) => {
      const version = await client.hget(machine, "version");
      if (version !== null && version === known?.version) return known;
      const text = await client.hget(machine, "definition");
      if (text === null) throw notInstalled("hold", location);
      const definition = parseCompiledMachine(text);
      return { version: String(definition.version), ms: stateOf(definition, state)?.lease?.for };
    },
    { timeoutMs, recover },
  );
}

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
  readonly #store: MachineStore;
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
    store: MachineStore,
    { id, state }: { readonly id: string; readonly state: string },
    length: LeaseLength & { readonly ms: number },
    renew: () => void,
    expire: () => void,
  ) {
    this.#store = store;
    this.#id = id;
    this.#state = state;
    this.#length = length;
    this.#leaseMs = length.ms;
    this.#renew = renew;
    this.#expire = expire;
  }

  /** Time limit of one request to the server, in ms. */
  get timeoutMs(): number {
    return Math.ceil(Math.min(this.#leaseMs * TIMEOUT_SHARE, this.#store.connection.timeoutMs));
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
    this.#length = await readLeaseLength(this.#store, this.#id, this.#state, known, timeoutMs);
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
    const fields = { machine: this.#store.location.machine, id: this.#id };
    this.#store.connection.logger.warn(
      fields,
      "the clock jumped or the host was suspended; renewing the lease",
    );
    this.renewNow();
  }
}
