import { setTimeout as pause } from "node:timers/promises";
import type { Connection } from "../valkey/connection.js";

/**
 * A longer wait is made of such pieces, in ms: Node's timers overflow at 25 days, and nobody tells that latchkey was
 * closed where the client was handed in, which stays open.
 */
const LONGEST_PIECE_MS = 1_000;

/** When a sweep is to end: it is told to, or latchkey is closed. To sweep once and not be able to is a failure. */
export class SweepEnd {
  readonly #connection: Connection;
  readonly #signal: AbortSignal | undefined;
  readonly #once: boolean;

  constructor(
    connection: Connection,
    { signal, once = false }: { readonly signal?: AbortSignal; readonly once?: boolean },
  ) {
    this.#connection = connection;
    this.#signal = signal;
    this.#once = once;
  }

  get isHere(): boolean {
    return this.#signal?.aborted === true || (this.#connection.isClosed && !this.#once);
  }

  /** Waits for it, so long at most. */
  async within(ms: number): Promise<void> {
    const { client } = this.#connection;
    const over = new AbortController();
    const stop = (): void => over.abort();
    this.#signal?.addEventListener("abort", stop, { once: true });
    client.once("end", stop);
    const until = performance.now() + ms;
    for (let leftMs = ms; leftMs > 0 && !this.isHere && !over.signal.aborted; ) {
      await pause(Math.min(leftMs, LONGEST_PIECE_MS), undefined, { signal: over.signal }).catch(() => {});
      leftMs = until - performance.now();
    }
    client.off("end", stop);
    this.#signal?.removeEventListener("abort", stop);
  }
}
