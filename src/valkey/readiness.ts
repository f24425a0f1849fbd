import type { Valkey } from "iovalkey";
import { ClosedError } from "../errors/closed-error.js";
import { LatchkeyError } from "../errors/latchkey-error.js";
import { pauseBeforeRetry } from "./backoff.js";
import { Deadline } from "./deadline.js";
import { mayPass, OfflineError } from "./failure.js";

/** Checks the server of a new connection. A LatchkeyError that it throws rejects all further calls. */
export type ConnectionCheck = (client: Valkey) => Promise<void>;

/** Lets calls through while a client is connected and its connection has passed the check. */
export class Readiness {
  readonly #client: Valkey;
  #check: ConnectionCheck | undefined;
  #isChecked = true;
  #isClosed = false;
  #failure: LatchkeyError | undefined;
  /** Settles at the next change. All waiting calls share it. */
  #change: Promise<void> | undefined;
  #notify: () => void = () => {};
  readonly #onReady = (): void => void this.#runCheck();
  readonly #onLoss = (): void => {
    this.#isChecked = this.#check === undefined;
    this.#notify();
  };

  constructor(client: Valkey) {
    this.#client = client;
    client.on("ready", this.#onReady).on("close", this.#onLoss).on("end", this.#onLoss);
  }

  get isReady(): boolean {
    return (
      this.#isChecked && this.#client.status === "ready" && !this.#isClosed && this.#failure === undefined
    );
  }

  /** Sets the check that each further connection must pass. */
  guard(check: ConnectionCheck): void {
    this.#check = check;
  }

  /** Runs the check now. @throws the error of the check, which rejects all further calls if it is a LatchkeyError */
  async verify(): Promise<void> {
    try {
      await this.#check?.(this.#client);
    } catch (error) {
      if (error instanceof LatchkeyError) this.fail(error);
      throw error;
    }
  }

  /** Rejects all further calls with an error that no retry can help. */
  fail(error: LatchkeyError): void {
    this.#failure ??= error;
    this.#notify();
  }

  /** Rejects all further calls with ClosedError. */
  close(): void {
    this.#isClosed = true;
    this.#client.off("ready", this.#onReady).off("close", this.#onLoss).off("end", this.#onLoss);
    this.#notify();
  }

  /**
   * Waits until calls may be sent.
   *
   * @throws ClosedError; the error of the check; OfflineError if it is not ready in time, or the client has ended
   */
  async untilReady(deadline: Deadline): Promise<void> {
    while (!this.isReady) {
      if (this.#isClosed) throw new ClosedError();
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#client.status === "end" || deadline.isOver) throw new OfflineError();
      this.#change ??= new Promise((resolve) => {
        this.#notify = () => {
          this.#change = undefined;
          resolve();
        };
      });
      await deadline.race(this.#change).catch(() => {}); // the next round checks the deadline
    }
  }

  async #runCheck(): Promise<void> {
    const { stream } = this.#client;
    const isCurrent = (): boolean => this.#client.stream === stream && this.#client.status === "ready";
    for (let failed = 0; isCurrent(); failed += 1) {
      try {
        await this.#check?.(this.#client);
        break;
      } catch (error) {
        if (error instanceof LatchkeyError) return this.fail(error);
        if (!mayPass(error)) break; // a call that needs the same permission reports it
        await pauseBeforeRetry(failed, Deadline.in(Number.POSITIVE_INFINITY));
      }
    }
    if (!isCurrent()) return; // the next connection is checked again
    this.#isChecked = true;
    this.#notify();
  }
}
