import { setMaxListeners } from "node:events";
import type { Connection } from "../valkey/connection.js";
import { safeMessage } from "../valkey/failure.js";
import { pause } from "../valkey/real-time.js";
import type { Delivery, ReactionGroup } from "./group.js";
import type { HandlerRuns, WaitAway } from "./handler-runs.js";
import type { ReactionSettings } from "./settings.js";
import { Slots } from "./slots.js";

/** Number of entities that may wait for a retry before no more events are taken. */
const MOST_PARKED = 1000;

/** One entity: the event that is handled, and the next one if it is known. */
interface EntityQueue {
  current: Delivery;
  next?: Delivery;
}

/** Handles the events of this replica: several entities at once, each one's events in order. */
export class EntityQueues {
  readonly #connection: Connection;
  readonly #settings: ReactionSettings;
  readonly #runs: HandlerRuns;
  readonly #stopping: AbortSignal;
  readonly #slots: Slots;
  readonly #queues = new Map<string, EntityQueue>();
  readonly #drains = new Set<Promise<void>>();
  readonly #onRoom: () => void;
  /** Number of entities that wait for a retry, or for a server that is unreachable. */
  #parked = 0;
  #failure: { readonly error: unknown } | undefined;

  /** @param onRoom called when there may be more room, or an error */
  constructor(
    connection: Connection,
    settings: ReactionSettings,
    runs: HandlerRuns,
    stopping: AbortSignal,
    onRoom: () => void,
  ) {
    this.#connection = connection;
    this.#settings = settings;
    this.#runs = runs;
    this.#stopping = stopping;
    this.#onRoom = onRoom;
    this.#slots = new Slots(settings.concurrency);
    setMaxListeners(0, stopping); // one per entity that waits for a retry
  }

  /** Number of new events to take. @throws the error of a call to the server that no retry can help. */
  get room(): number {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#parked >= MOST_PARKED) return 0;
    return Math.max(0, this.#settings.concurrency - (this.#queues.size - this.#parked));
  }

  /** Adds an event, unless it is known. */
  add(group: ReactionGroup, delivery: Delivery): void {
    if (this.#stopping.aborted) return;
    const { entity, id } = delivery;
    const key = `${group.partition} ${entity}`;
    const existing = this.#queues.get(key);
    if (existing !== undefined) {
      // The server delivers the next event only when the current one is finished.
      if (!isEvent(existing.current, delivery)) existing.next = delivery;
      return;
    }
    const queue = { current: delivery };
    this.#queues.set(key, queue);
    const drain = this.#drain(group, queue, key)
      .catch((error: unknown) => {
        this.#failure ??= { error };
        this.#connection.logger.error(
          { reaction: this.#settings.name, id: entity, event: id, error: safeMessage(error) },
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

  async #drain(group: ReactionGroup, queue: EntityQueue, key: string): Promise<void> {
    try {
      while (!this.#stopping.aborted) {
        const { current } = queue;
        const limit = this.#limitOf(current);
        const result = await this.#slots.use(limit, (place) => {
          const wait: WaitAway = (reply) => this.#park(place.leaveFor(reply));
          return this.#runs.run(group, current, limit === 1, wait);
        });
        if (typeof result === "number") {
          // Aborted when the reaction stops.
          await this.#park(pause(result, undefined, { signal: this.#stopping }).catch(() => {}));
          continue;
        }
        if (result === "reassigned") {
          group.reset(); // the next reply contains the event that this replica may have of the entity
          return;
        }
        const following = result ?? queue.next;
        if (following === undefined || isEvent(following, current)) return;
        queue.current = following;
        delete queue.next;
      }
    } finally {
      this.#queues.delete(key); // at once, so that no event is added to a queue that has ended
    }
  }

  /**
   * Limits how many handlers run beside that of an event during which replicas crashed: half as many after each crash,
   * until it runs alone. So the event that causes the crashes is found, and the others are handled.
   */
  #limitOf({ excused }: Delivery): number {
    return Math.max(1, Math.floor(this.#settings.concurrency / 2 ** excused));
  }

  /** Waits. Meanwhile the entity does not count against the room. */
  async #park<T>(promise: Promise<T>): Promise<T> {
    this.#parked += 1;
    this.#onRoom();
    try {
      return await promise;
    } finally {
      this.#parked -= 1;
    }
  }
}

function isEvent(one: Delivery, other: Delivery): boolean {
  return one.mark === other.mark && one.id === other.id;
}
