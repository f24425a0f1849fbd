import { setImmediate as nextTurn } from "node:timers/promises";
import { checkDuration, checkFlag } from "../contract/arguments.js";
import { ClosedError } from "../errors/closed-error.js";
import { connect, type Latchkey } from "../latchkey.js";
import type { SweepOptions } from "../sweep/sweep.js";
import type { ConnectRetry } from "../valkey/await-server.js";
import { requestActor } from "./actor.js";
import { nestLogger } from "./nest-logger.js";
import type { LatchkeyConnectionOptions } from "./options.js";
import { getLatchkeyToken } from "./tokens.js";
import type { Work } from "./work.js";

/** Default of `shutdownTimeout`. */
export const DEFAULT_SHUTDOWN_MS = 10_000;
/** As the modules of Nest for other databases wait. */
const RETRY = { attempts: 9, delay: "3s" } as const;

/** A connection of an application. */
export class NamedConnection {
  /** True if the changes of its machines go to the application's EventEmitter2. */
  readonly hasEventEmitter: boolean;
  /** Time that work has to finish when the application shuts down. */
  readonly shutdownMs: number;
  readonly #latchkey: Promise<Latchkey>;
  readonly #sweep: boolean | SweepOptions;
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;

  /** Begins to connect. @throws ContractError if an option is invalid */
  constructor(name: string, options: LatchkeyConnectionOptions) {
    const {
      sweep = false,
      shutdownTimeout = DEFAULT_SHUTDOWN_MS,
      retry = RETRY,
      eventEmitter = false,
      ...rest
    } = options;
    checkFlag("eventEmitter", eventEmitter);
    this.hasEventEmitter = eventEmitter;
    this.#sweep = sweep;
    this.shutdownMs = checkDuration("shutdownTimeout", shutdownTimeout);
    this.#latchkey = connect({
      logger: nestLogger(getLatchkeyToken(name)),
      actor: requestActor,
      ...rest,
      retry: withSignal(retry, this.#closing.signal),
    });
  }

  /** Waits until it is connected. @throws the errors of `connect`; ClosedError if it was closed meanwhile */
  async open(): Promise<Latchkey> {
    const latchkey = await this.#latchkey;
    if (this.#closing.signal.aborted) throw new ClosedError();
    return latchkey;
  }

  /** Starts the sweep that the options ask for, if any. @throws ContractError if one of its options is invalid */
  async startSweep(): Promise<Work | undefined> {
    if (this.#sweep === false) return undefined;
    const latchkey = await this.#latchkey;
    const stopping = new AbortController();
    const { signal, ...rest } = this.#sweep === true ? {} : this.#sweep;
    const ended = latchkey.sweep({
      ...rest,
      signal: AbortSignal.any([stopping.signal, ...(signal === undefined ? [] : [signal])]),
    });
    // A sweep with an invalid option ends at once.
    await Promise.race([ended, nextTurn()]);
    const stop = async (): Promise<void> => {
      stopping.abort();
      await ended.catch(() => {});
    };
    return { ended, stop, abort: () => {} };
  }

  /** Closes the connection, also one that is still being opened. A client that was passed in the options stays open. */
  close(): Promise<void> {
    this.#closing.abort(new ClosedError());
    this.#closed ??= this.#latchkey.then(
      (latchkey) => latchkey.close(),
      () => {}, // never opened
    );
    return this.#closed;
  }
}

function withSignal(retry: boolean | ConnectRetry, closing: AbortSignal): boolean | ConnectRetry {
  if (retry === true) return { signal: closing };
  if (typeof retry !== "object" || retry === null) return retry;
  return {
    ...retry,
    signal: retry.signal === undefined ? closing : AbortSignal.any([closing, retry.signal]),
  };
}
