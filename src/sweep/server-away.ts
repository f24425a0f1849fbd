import type { NotExecutedError } from "../errors/outcome-errors.js";
import { tell } from "../valkey/failed-listener.js";
import type { Logger } from "../valkey/logger.js";

/** Who is told that sweeping has come to a stop, and goes on. */
export interface AwayListeners {
  /** Told once when sweeping has come to a stop, as the server can't be asked; it goes on trying. */
  readonly onAway?: (why: NotExecutedError) => void;
  /** Told once when it goes on after that. */
  readonly onBack?: () => void;
}

/** Tells that the server can't be asked, and that it can be again: once each, however many rounds fail. */
export class SweepAway {
  readonly #logger: Logger;
  readonly #listeners: AwayListeners;
  #isAway = false;
  #hasFailed = false;

  constructor(logger: Logger, listeners: AwayListeners) {
    this.#logger = logger;
    this.#listeners = listeners;
  }

  /** Something of this round failed. */
  add(why: NotExecutedError): void {
    this.#hasFailed = true;
    if (this.#isAway) return;
    this.#isAway = true;
    this.#logger.warn({ error: why.message }, "sweeping waits for the server");
    tell(this.#logger, "of a sweep", this.#listeners.onAway, why);
  }

  /** A round in which nothing failed was back. */
  endRound(): void {
    const isBack = this.#isAway && !this.#hasFailed;
    this.#hasFailed = false;
    if (!isBack) return;
    this.#isAway = false;
    this.#logger.info({}, "sweeping goes on");
    tell(this.#logger, "of a sweep", this.#listeners.onBack, undefined);
  }
}
