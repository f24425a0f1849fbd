import { setTimeout as pause } from "node:timers/promises";
import { isOtherEvents } from "../reactions/end.js";
import type { Reaction } from "../reactions/reaction.js";
import { backoffMs } from "../valkey/backoff.js";
import { isLasting } from "../valkey/failure.js";
import { thrownText } from "../valkey/thrown-text.js";
import { KnownError } from "./known-error.js";
import type { Work } from "./work.js";

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 10_000;

/** Settings of the work of one decorated method. */
export interface TransitionSettings {
  /** Starts the reaction. Aborting the signal stops it and its handlers. */
  readonly react: (signal: AbortSignal) => Promise<Reaction>;
  /** True to wait while other replicas use other event types. */
  readonly waits: boolean;
  /** Called after each attempt to start that other replicas prevented. */
  readonly onWait: (error: string, attempt: number) => void;
}

/** The reaction of one decorated method, from bootstrap to shutdown. */
export class TransitionWork implements Work {
  ended: Promise<void> = Promise.resolve();
  readonly #settings: TransitionSettings;
  readonly #stopping = new AbortController();
  readonly #aborting = new AbortController();
  #reaction: Reaction | undefined;

  constructor(settings: TransitionSettings) {
    this.#settings = settings;
  }

  /** Starts the reaction, or begins to wait for other replicas. @throws the errors of `react` */
  async start(): Promise<void> {
    try {
      await this.#open();
    } catch (error) {
      if (!this.#mayPass(error, false)) throw error;
    }
    this.ended = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#reaction?.close();
    await this.ended.catch(() => {}); // its error is reported by `ended`
  }

  abort(reason: unknown): void {
    this.#aborting.abort(reason);
  }

  async #open(): Promise<Reaction> {
    this.#reaction ??= await this.#settings.react(this.#aborting.signal);
    if (this.#stopping.signal.aborted) await this.#reaction.close();
    return this.#reaction;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    for (let failed = 0; !signal.aborted; ) {
      try {
        const reaction = await this.#open();
        failed = 0;
        await reaction.closed;
        return;
      } catch (error) {
        this.#reaction = undefined;
        if (signal.aborted) return;
        if (!this.#mayPass(error, failed > 0)) throw error;
        failed += 1;
        this.#settings.onWait(thrownText(error), failed);
        const delayMs = backoffMs(failed - 1, FIRST_DELAY_MS, LONGEST_DELAY_MS);
        await pause(delayMs, undefined, { signal }).catch(() => {}); // aborted by `stop`
      }
    }
  }

  /** Returns true if another attempt to start may succeed. While it waits, the server may be unreachable for a time. */
  #mayPass(error: unknown, isWaiting: boolean): boolean {
    if (!this.#settings.waits) return false;
    if (isOtherEvents(error)) return true;
    return (
      isWaiting &&
      error instanceof KnownError &&
      error.code === "NOTEXECUTED" &&
      !isLasting(error.reply ?? "")
    );
  }
}
