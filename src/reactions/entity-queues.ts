import { setMaxListeners } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import type { Connection } from "../valkey/connection.js";
import { safeMessage } from "../valkey/failure.js";
import type { Delivery, ReactionGroup } from "./group.js";
import type { EntityQueue, HandlerRuns } from "./handler-runs.js";
import type { ReactionSettings } from "./settings.js";

/** Number of entities that may wait for a retry, per handler, before no more events are taken. */
const PARKED_PER_HANDLER = 100;

/** Queues the events of this replica by entity: several entities are handled at once, each one's events in order. */
export class EntityQueues {
  readonly #connection: Connection;
  readonly #settings: ReactionSettings;
  readonly #runs: HandlerRuns;
  readonly #stopping: AbortSignal;
  readonly #slots: Slots;
  readonly #queues = new Map<string, EntityQueue>();
  readonly #known = new Set<string>();
  readonly #drains = new Set<Promise<void>>();
  /** Number of entities that wait for a retry. */
  #parked = 0;
  #onRoom: () => void = () => {};
  #failure: { readonly error: unknown } | undefined;

  constructor(connection: Connection, settings: ReactionSettings, runs: HandlerRuns, stopping: AbortSignal) {
    this.#connection = connection;
    this.#settings = settings;
    this.#runs = runs;
    this.#stopping = stopping;
    this.#slots = new Slots(settings.concurrency);
    setMaxListeners(0, stopping); // one per entity that waits for a retry
  }

  /** Number of new events to take. @throws the error of a call to the server that no retry can help. */
  get room(): number {
    if (this.#failure !== undefined) throw this.#failure.error;
    const { concurrency } = this.#settings;
    if (this.#parked >= concurrency * PARKED_PER_HANDLER) return 0;
    return Math.max(0, concurrency - (this.#queues.size - this.#parked));
  }

  /** Settles as soon as there is more room, or an error. */
  async moreRoom(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onRoom = resolve;
    });
  }

  /** Adds an event, unless it is known. */
  add(group: ReactionGroup, delivery: Delivery): void {
    const key = keyOf(group, delivery);
    if (this.#known.has(key) || this.#stopping.aborted) return;
    this.#known.add(key);
    const entity = delivery.entity || key; // the entity of a trimmed event is unknown
    const existing = this.#queues.get(entity);
    if (existing !== undefined) {
      existing.deliveries.push(delivery);
      return;
    }
    const queue: EntityQueue = { group, deliveries: [delivery] };
    this.#queues.set(entity, queue);
    const drain = this.#drain(entity, queue)
      .catch((error: unknown) => {
        this.#failure ??= { error };
        this.#connection.logger.error(
          {
            reaction: this.#settings.name,
            id: delivery.entity,
            event: delivery.id,
            error: safeMessage(error),
          },
          "an event remains to be handled again",
        );
      })
      .finally(() => {
        this.#drains.delete(drain);
        this.#onRoom();
      });
    this.#drains.add(drain);
  }

  get isIdle(): boolean {
    return this.#drains.size === 0;
  }

  /** Settles as soon as no handler runs. */
  async idle(): Promise<void> {
    while (this.#drains.size > 0) await Promise.all(this.#drains);
  }

  async #drain(entity: string, queue: EntityQueue): Promise<void> {
    const { group, deliveries } = queue;
    for (
      let [delivery] = deliveries;
      delivery !== undefined && !this.#stopping.aborted;
      [delivery] = deliveries
    ) {
      const current = delivery;
      const result = await this.#slots.use(() => this.#runs.run(queue, current));
      if (result === "reassigned") {
        // The following events were reassigned too. Those that come back to this replica are delivered again, in order.
        for (const left of deliveries) this.#known.delete(keyOf(group, left));
        group.reset();
        break;
      }
      if (result === "finished") {
        deliveries.shift();
        this.#known.delete(keyOf(group, current));
      } else await this.#park(result);
    }
    this.#queues.delete(entity);
  }

  /** Waits for the delay, or until the reaction stops. */
  async #park(ms: number): Promise<void> {
    this.#parked += 1;
    this.#onRoom();
    await pause(ms, undefined, { signal: this.#stopping }).catch(() => {}); // aborted when the reaction stops
    this.#parked -= 1;
  }
}

/** Limits how many tasks run at once; further ones wait in order. */
class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

function keyOf({ partition }: ReactionGroup, { mark, id }: Delivery): string {
  return `${partition} ${mark} ${id}`;
}
