import { type Change, readDocument } from "../contract/document.js";
import type { LatchkeyError } from "../errors/latchkey-error.js";
import { callListener } from "../valkey/failed-listener.js";
import type { Logger } from "../valkey/logger.js";

/** A timer that cannot fire, or a machine whose timers cannot fire. */
export interface Stuck {
  readonly machine: string;
  /** The entity, or an invalid entry of `due` or `index`; empty for the machine itself. */
  readonly id: string;
  /** The problem and its fix, in general. `latchkey fsck` explains it in detail. */
  readonly why: string;
}

/** The result of a sweep: what this replica did, without changes whose reply was lost. The event log has those. */
export interface SweepReport {
  /** Timeouts and leases that expired. */
  readonly expired: number;
  /** Entities that were removed at the end of their retention. */
  readonly removed: number;
  /** Entities that lacked their deadline and got it. */
  readonly given: number;
  /** Timers and machines that are stuck now. 10,000 means 10,000 or more. */
  readonly stuck: number;
}

/** Callbacks of a sweep. */
export interface SweepListeners {
  /** Called for each change that this replica made, unless its reply was lost. The event log has every change. */
  readonly onChange?: (change: Change) => void;
  /**
   * Called once for each stuck timer and each stuck machine, for 10,000 at most. Called again if one was repaired and is
   * stuck again.
   */
  readonly onStuck?: (stuck: Stuck) => void;
  /**
   * Called once when a server is unreachable or rejects what the sweep needs, with what the sweep has done. The sweep
   * retries; with `once` it throws the error.
   */
  readonly onAway?: (why: LatchkeyError, report: SweepReport) => void;
  /** Called once when the sweep continues after `onAway`. */
  readonly onBack?: () => void;
}

/** Limits how many stuck timers a sweep remembers. */
export const MAX_STUCK = 10_000;

/** Counts, logs and reports what a sweep does. */
export class SweepReporter {
  readonly #listeners: SweepListeners;
  readonly #logger: Logger;
  readonly #counts = { expired: 0, removed: 0, given: 0, stuck: 0 };
  #isAway = false;

  constructor(listeners: SweepListeners, logger: Logger) {
    this.#listeners = listeners;
    this.#logger = logger;
  }

  get report(): SweepReport {
    return { ...this.#counts };
  }

  /** Reports a change that a timer made. `text` is its document. */
  addChange(machine: string, id: string, text: string): void {
    const isRemoval = text.startsWith(`{"type":"${machine}.removed"`);
    this.#counts[isRemoval ? "removed" : "expired"] += 1;
    let change: Change;
    try {
      change = readDocument<Change>(text);
    } catch {
      // The document contains the entity's fields as they are. Something other than latchkey wrote one of them.
      this.#logger.warn({ machine, id }, "a timer fired, but its change cannot be read: a field is not JSON");
      return;
    }
    const { state, reason } = change;
    this.#logger.info({ machine, id, state, reason }, "a timer fired");
    this.#call(this.#listeners.onChange, change);
  }

  /** Counts entities that got the deadline that they lacked. */
  addGiven(count: number): void {
    this.#counts.given += count;
  }

  /** Reports a stuck timer. @returns false if too many are stuck already: then it is not reported */
  addStuck(stuck: Stuck): boolean {
    if (this.#counts.stuck >= MAX_STUCK) return false;
    this.#counts.stuck += 1;
    const text = stuck.id === "" ? "the timers of a machine cannot fire" : "a timer cannot fire";
    this.#logger.warn({ ...stuck }, text);
    this.#call(this.#listeners.onStuck, stuck);
    return true;
  }

  removeStuck(machine: string, id: string): void {
    this.#counts.stuck -= 1;
    this.#logger.info({ machine, id }, "no longer stuck");
  }

  /** Ends a round. Reports if it failed and the previous one did not, or the reverse. */
  endRound(failure?: LatchkeyError): void {
    if (this.#isAway === (failure !== undefined)) return;
    this.#isAway = !this.#isAway;
    if (failure === undefined) {
      this.#logger.info({}, "the sweep continues");
      this.#call(this.#listeners.onBack, undefined);
    } else {
      this.#logger.warn({ error: failure.message }, "the sweep could not fire all timers");
      const { onAway } = this.#listeners;
      const { report } = this;
      this.#call(onAway && ((why: LatchkeyError) => onAway(why, report)), failure);
    }
  }

  #call<T>(listener: ((news: T) => void) | undefined, news: T): void {
    callListener(this.#logger, "of a sweep", listener, news);
  }
}
