import { setTimeout as pause } from "node:timers/promises";
import type { Connection } from "../valkey/connection.js";

/** A longer wait is made of such pieces, in ms: Node's timers overflow at 25 days, and a client may end unseen. */
const LONGEST_PIECE_MS = 1_000;

/** When a sweep is to end: it is told to, or latchkey is closed. To sweep once and not be able to is a failure. */
export class SweepEnd {
  readonly #connection: Connection;
  readonly #once: boolean;
  readonly #closing = new AbortController();
  /** The caller's and ours: one signal of the caller's may end any number of sweeps, each without a listener on it. */
  readonly #any: AbortSignal;
  readonly #signal: AbortSignal | undefined;
  readonly #forget: () => void;

  constructor(
    connection: Connection,
    { signal, once = false }: { readonly signal?: AbortSignal; readonly once?: boolean },
  ) {
    this.#connection = connection;
    this.#once = once;
    this.#signal = signal;
    this.#any = AbortSignal.any(
      signal === undefined ? [this.#closing.signal] : [signal, this.#closing.signal],
    );
    this.#forget = connection.beforeClose(async () => this.#closing.abort());
  }

  get isHere(): boolean {
    if (this.#signal?.aborted === true) return true;
    return (this.#connection.isClosed || this.#closing.signal.aborted) && !this.#once;
  }

  /** Waits for it, so long at most; ends early too where the client has ended. */
  async within(ms: number): Promise<void> {
    const until = performance.now() + ms;
    for (let leftMs = ms; leftMs > 0 && !this.isHere; leftMs = until - performance.now()) {
      if (this.#connection.client.status === "end") return;
      await pause(Math.min(leftMs, LONGEST_PIECE_MS), undefined, { signal: this.#any }).catch(() => {});
    }
  }

  /** Waits no more, and lets go of the connection. */
  close(): void {
    this.#forget();
  }
}
