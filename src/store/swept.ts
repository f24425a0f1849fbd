import { tell } from "../valkey/failed-listener.js";
import { LayoutError } from "../valkey/layout.js";
import type { Store } from "./call.js";
import type { Change } from "./document.js";
import { type Expiry, expire } from "./expire.js";

/** An entity whose timer has run out, but can't fire. */
export interface Stuck {
  readonly machine: string;
  readonly id: string;
  /** What stands in the way. */
  readonly why: string;
}

/** What sweeping did. */
export interface Swept {
  /** Timeouts and leases that were recorded as run out. */
  readonly expired: number;
  /** Entities that were taken away at the end of their retention. */
  readonly removed: number;
  /** Entities that were given the deadline they should have had. */
  readonly given: number;
  /** Entities whose timer has run out, but can't fire; 10,000 stands for 10,000 or more. */
  readonly stuck: number;
}

/** Who is told what sweeping does. */
export interface SweepListeners {
  /** Told of each change that was made: a timeout or lease that ran out, or a removal. */
  readonly onChange?: (change: Change) => void;
  /** Told once of each entity that is stuck, of 10,000 at most. */
  readonly onStuck?: (stuck: Stuck) => void;
}

/** How many stuck entities are remembered, so that each is told of once, and counted. */
export const MOST_STUCK = 10_000;

/** Asks for entities whether something has run out for them, and keeps count of what came of it. */
export class SweepTally {
  readonly #listeners: SweepListeners;
  readonly #stuck = new Set<string>();
  #expired = 0;
  #removed = 0;
  #given = 0;

  constructor(listeners: SweepListeners) {
    this.#listeners = listeners;
  }

  /** The counts so far. */
  get swept(): Swept {
    return { expired: this.#expired, removed: this.#removed, given: this.#given, stuck: this.#stuck.size };
  }

  /** Counts an entity that had no deadline, and has one now. */
  given(): void {
    this.#given += 1;
  }

  /** Asks for one entity. An entity that the scripts can't read is stuck, as is one whose timer can't fire. */
  async expire(store: Store, id: string): Promise<Expiry["outcome"] | "LAYOUT"> {
    const { machine } = store.place;
    const expiry = await expire(store, id).catch((error: unknown) => {
      if (error instanceof LayoutError) return { outcome: "LAYOUT", why: error.message } as const;
      throw error;
    });
    const { outcome } = expiry;
    if (outcome === "OK") {
      const { change } = expiry;
      const isRemoval = change.type === `${machine}.removed`;
      if (isRemoval) this.#removed += 1;
      else this.#expired += 1;
      store.connection.logger.info({ machine, id, state: change.state, reason: change.reason }, "ran out");
      tell(store.connection.logger, "of a sweep", this.#listeners.onChange, change);
    }
    const why =
      outcome === "LAYOUT"
        ? expiry.why
        : `it is ${"current" in expiry ? expiry.current.state : ""}, and where its timer leads a stamp is required that was never set`;
    if (outcome === "LAYOUT" || outcome === "MISSING") this.#tellStuck(store, { machine, id, why });
    else this.#stuck.delete(`${machine}/${id}`);
    return outcome;
  }

  #tellStuck({ connection }: Store, stuck: Stuck): void {
    const name = `${stuck.machine}/${stuck.id}`;
    if (this.#stuck.has(name) || this.#stuck.size >= MOST_STUCK) return;
    this.#stuck.add(name);
    connection.logger.warn({ ...stuck }, "a timer has run out and can't fire");
    tell(connection.logger, "of a sweep", this.#listeners.onStuck, stuck);
  }
}
