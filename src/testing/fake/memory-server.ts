import type { Change } from "../../contract/document.js";
import { readDocument } from "../../contract/document.js";
import type { Reply } from "../../contract/reply.js";
import type { Operation } from "../../lua/index.js";
import type { CompiledMachine } from "../../machine/compiled.js";
import { Model } from "../model/model.js";
import type { ModelEvent } from "../model/store.js";

/** Receives each change after it was made. */
type EventListener = (event: ModelEvent) => void;

/** Runs the scripts of one machine by the reference model, in this process. */
export class MemoryServer {
  readonly model: Model;
  readonly #now: () => number;
  /** The number of events that each listener does not receive, because they are older than it. */
  readonly #listeners = new Map<EventListener, number>();
  #delivered = 0;
  #isDelivering = false;

  /** @param now reads the clock, in ms */
  constructor(definition: CompiledMachine, now: () => number) {
    this.model = new Model(definition);
    this.#now = now;
  }

  /** Reads the clock, in ms. */
  get nowMs(): number {
    return Math.floor(this.#now());
  }

  get events(): readonly ModelEvent[] {
    return this.model.events;
  }

  /** Runs a script at the time of the clock. @throws Error with the text of an error reply */
  run(operation: Exclude<Operation, "apply">, id: string, ...args: readonly string[]): Reply {
    this.model.timeMs = this.nowMs;
    const reply = this.model.run(operation, id, ...args);
    if (this.#delivered < this.events.length) void this.#deliver();
    return reply;
  }

  /** Calls a listener for each later event, in order, after the change that made it. @returns a function that ends this */
  onEvent(listener: EventListener): () => void {
    this.#listeners.set(listener, this.events.length);
    return () => void this.#listeners.delete(listener);
  }

  /** Delivers events in promise jobs, which no fake timer stops. Listeners may make changes. */
  async #deliver(): Promise<void> {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    await undefined;
    for (; this.#delivered < this.events.length; this.#delivered += 1) {
      const event = this.events[this.#delivered];
      for (const [listener, first] of [...this.#listeners])
        if (event !== undefined && first <= this.#delivered && this.#listeners.has(listener)) listener(event);
    }
    this.#isDelivering = false;
  }
}

/** Parses the document of an event. */
export function changeOf<C extends Change>({ text }: ModelEvent): C {
  return readDocument<C>(text);
}
