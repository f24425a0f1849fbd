import type { Change } from "../contract/document.js";
import type { Entities } from "../entities.js";
import type { Subscription } from "../events/subscribe.js";
import type { Work } from "./work.js";

/** Functions of a decorated method that hears changes. */
export interface ChangeListener {
  readonly onChange: (change: Change) => unknown;
  /** Called after changes may have been missed. */
  readonly onMissed: () => unknown;
}

/** The subscription of one decorated method, from bootstrap to shutdown. */
export class ChangeWork implements Work {
  readonly ended: Promise<void>;
  readonly #listener: ChangeListener;
  readonly #running = new Set<Promise<unknown>>();
  #subscription: Subscription | undefined;
  #end: () => void = () => {};

  constructor(listener: ChangeListener) {
    this.#listener = listener;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Subscribes. @param types types of the events; empty for all @throws the errors of `subscribe` */
  async start(entities: Entities, types: readonly string[]): Promise<void> {
    const { onChange, onMissed } = this.#listener;
    this.#subscription = await entities.subscribe(
      (change) => {
        if (types.length === 0 || types.includes(change.type))
          return this.#track(async () => onChange(change));
      },
      { onMissed: () => void this.#track(async () => onMissed()).catch(() => {}) },
    );
  }

  async stop(): Promise<void> {
    await this.#subscription?.close();
    await Promise.allSettled(this.#running);
    this.#end();
  }

  /** Does nothing: a listener has no signal. */
  abort(): void {}

  async #track(work: () => Promise<unknown>): Promise<void> {
    const running = work();
    this.#running.add(running);
    try {
      await running;
    } finally {
      this.#running.delete(running);
    }
  }
}
