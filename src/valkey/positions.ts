import type { Valkey } from "iovalkey";
import { endOf, isLater } from "./stream.js";

/** Remembers for each event log the greatest position that a reply contained: the position before a first attempt. */
export class Positions {
  readonly #client: Valkey;
  /** Positions by the key of their event log. */
  readonly #known = new Map<string, string>();
  /** Questions that all callers share. */
  readonly #asking = new Map<string, Promise<string>>();

  constructor(client: Valkey) {
    this.#client = client;
  }

  /** Returns the position of an event log. Asks the server for its end if none is known. */
  async know(events: string): Promise<string> {
    return this.#known.get(events) ?? this.#asking.get(events) ?? this.#ask(events);
  }

  /** Asks once for all callers, which go on in the order in which they called. */
  #ask(events: string): Promise<string> {
    const asking = endOf(this.#client, events)
      .then((end) => {
        this.learn(events, end);
        return end;
      })
      .finally(() => this.#asking.delete(events));
    this.#asking.set(events, asking);
    return asking;
  }

  /** Remembers a position, unless a later one is known. */
  learn(events: string, position: string): void {
    const known = this.#known.get(events);
    if (known === undefined || isLater(position, known)) this.#known.set(events, position);
  }

  /** Replaces the position: the event log ends before it if the server lost data. */
  reset(events: string, end: string): void {
    this.#known.set(events, end);
  }
}
