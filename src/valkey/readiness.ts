import type { Valkey } from "iovalkey";
import { ClosedError } from "../errors/closed-error.js";
import { LatchkeyError } from "../errors/latchkey-error.js";
import { pauseBeforeRetry } from "./backoff.js";
import { Deadline } from "./deadline.js";
import { mayPass, OfflineError, replyCode } from "./failure.js";

/**
 * Checks the server of a new connection. A LatchkeyError that it throws rejects all further calls.
 *
 * @param holds returns whether the server holds a key: in a cluster it holds some of them
 * @param isNew true for the first check of a connection, which looks at all that the server holds
 */
export type ConnectionCheck = (
  client: Valkey,
  holds: (key: string) => boolean,
  isNew: boolean,
) => Promise<void>;

const HOLDS_ALL = (): boolean => true;

/** Lets calls through while a client is connected and its connection has passed the check. */
export class Readiness {
  readonly #client: Valkey;
  #check: ConnectionCheck | undefined;
  #isChecked = true;
  /** Error of `close`, after it was called. */
  #closed: Error | undefined;
  #failure: LatchkeyError | undefined;
  /** Settles at the next change. All waiting calls share it. */
  #change: Promise<void> | undefined;
  #notify: () => void = () => {};
  #error: unknown;
  readonly #onReady = (): void => {
    this.#error = undefined;
    void this.#runCheck();
  };
  readonly #onError = (error: unknown): void => {
    this.#error = error;
  };
  readonly #onLoss = (): void => {
    this.#isChecked = this.#check === undefined;
    this.#notify();
  };

  constructor(client: Valkey) {
    this.#client = client;
    client.on("ready", this.#onReady).on("close", this.#onLoss).on("end", this.#onLoss);
    // The client prints errors that nobody listens to.
    if (client.listenerCount("error") > 0) client.on("error", this.#onError);
  }

  get isReady(): boolean {
    const isUsable = this.#closed === undefined && this.#failure === undefined;
    return isUsable && this.#isChecked && this.#client.status === "ready";
  }

  /** Error of the last attempt to connect again. */
  get error(): unknown {
    return this.#error;
  }

  /** Sets the check that each further connection must pass. */
  guard(check: ConnectionCheck): void {
    this.#check = check;
  }

  /** Runs the check now. @throws the error of the check, which rejects all further calls if it is a LatchkeyError */
  async verify(isNew = false): Promise<void> {
    try {
      await this.#check?.(this.#client, HOLDS_ALL, isNew);
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

  /** True if `fail` rejects all calls. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Rejects all further calls. */
  close(error: Error = new ClosedError()): void {
    this.#closed ??= error;
    this.#client.off("ready", this.#onReady).off("close", this.#onLoss).off("end", this.#onLoss);
    this.#client.off("error", this.#onError);
    this.#notify();
  }

  /**
   * Waits until calls may be sent.
   *
   * @throws the error of `close`; that of the check; OfflineError if it is not ready in time, or the client has ended
   */
  async untilReady(deadline: Deadline): Promise<void> {
    while (!this.isReady) {
      if (this.#closed !== undefined) throw this.#closed;
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
        await this.#check?.(this.#client, HOLDS_ALL, true);
        break;
      } catch (error) {
        if (error instanceof LatchkeyError) return this.fail(error);
        // A call that needs the same permission reports it. After MOVED, another server holds what is checked.
        if (!mayPass(error) || replyCode(error) === "MOVED") break;
        await pauseBeforeRetry(failed, Deadline.in(Number.POSITIVE_INFINITY));
      }
    }
    if (!isCurrent()) return; // the next connection is checked again
    this.#isChecked = true;
    this.#notify();
  }
}
