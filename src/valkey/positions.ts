import type { Valkey } from "iovalkey";
import { performance } from "./real-time.js";
import { endOf, isLater } from "./stream.js";

/** An older position is asked for anew: the log may have been trimmed after it. */
const FRESH_MS = 10_000;

/** Remembers for each event log the greatest position that a reply contained: the position before a first attempt. */
export class Positions {
  readonly #clientOf: (key: string) => Valkey;
  readonly #verify: () => Promise<void>;
  /** Positions by the key of their event log, and when each was learnt. */
  readonly #known = new Map<string, { readonly position: string; readonly learntAt: number }>();
  /** Questions that all callers share. */
  readonly #asking = new Map<string, Promise<string>>();

  /**
   * @param clientOf returns the client of the server that holds a key
   * @param verify checks the facts of the namespace after a position was read: the log may be of a namespace created anew
   */
  constructor(clientOf: (key: string) => Valkey, verify: () => Promise<void> = async () => {}) {
    this.#clientOf = clientOf;
    this.#verify = verify;
  }

  /** Returns a recent position of an event log, if one is known. */
  recent(events: string): string | undefined {
    const known = this.#known.get(events);
    const isFresh = known !== undefined && performance.now() - known.learntAt < FRESH_MS;
    return isFresh ? known.position : undefined;
  }

  /** Returns a recent position of an event log. Asks the server for its end if none is known. */
  async know(events: string): Promise<string> {
    return this.recent(events) ?? this.#asking.get(events) ?? this.#ask(events);
  }

  /** Asks once for all callers, which go on in the order in which they called. */
  #ask(events: string): Promise<string> {
    const machine = `${events.slice(0, -"events".length)}machine`;
    const client = this.#clientOf(events);
    const asking = Promise.all([endOf(client, events), client.hget(machine, "floor"), this.#verify()])
      .then(([end, floor]) => {
        const position = floor !== null && isLater(floor, end) ? floor : end; // else a new log gives FORGOTTEN
        this.reset(events, position);
        return position;
      })
      .finally(() => this.#asking.delete(events));
    this.#asking.set(events, asking);
    return asking;
  }

  /** Remembers a position, unless a later one is known. */
  learn(events: string, position: string): void {
    const known = this.#known.get(events);
    if (known === undefined || isLater(position, known.position)) this.reset(events, position);
  }

  /** Replaces the position: the event log ends before it if the server lost data. */
  reset(events: string, end: string): void {
    this.#known.set(events, { position: end, learntAt: performance.now() });
  }
}
