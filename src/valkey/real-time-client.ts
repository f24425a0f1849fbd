import type { Socket } from "node:net";
import { type RedisOptions, Valkey } from "iovalkey";
import { clearTimeout, nextTick, setImmediate, setTimeout } from "./real-time.js";

/** Runs code of iovalkey that relies on `process.nextTick`, with the real one. */
export function withRealTicks<T>(work: () => T): T {
  const { nextTick: current } = process;
  if (current === nextTick) return work();
  process.nextTick = nextTick;
  try {
    return work();
  } finally {
    process.nextTick = current;
  }
}

/** Parts of the client, of which its types declare some private. */
interface Client {
  readonly status: string;
  readonly reconnectTimeout: NodeJS.Timeout | undefined;
  readonly options: RedisOptions;
  readonly stream: Socket;
  readonly commandQueue: { readonly length: number };
  /** Set while the client waits for data. */
  socketTimeoutTimer: NodeJS.Timeout | undefined;
  connect(): Promise<void>;
  setStatus(status: string, argument?: unknown): void;
  /** Ends a connection on which the server rejected the user. */
  recoverFromFatalError(...errors: readonly unknown[]): void;
  /** Asks the server for INFO, which says if it is ready. */
  _readyCheck(callback: (error: unknown, info?: Facts) => void): void;
}

/** The facts of INFO, by name; none if the user may not ask for it. */
type Facts = Readonly<Record<string, string>>;

const facts = new WeakMap<object, Facts>();

/** Returns a fact of the INFO with which a client connected; undefined if it did not get one. */
export function infoAtConnect(client: Valkey, name: string): string | undefined {
  return facts.get(client)?.[name];
}

const Base = Valkey as unknown as new (options: RedisOptions) => Client;

class RealTimeClient extends Base {
  /** The last connection that had to end. */
  #rejected: Socket | undefined;

  override connect(): Promise<void> {
    return withRealTicks(() => super.connect());
  }

  override recoverFromFatalError(...errors: readonly unknown[]): void {
    this.#rejected = this.stream;
    super.recoverFromFatalError(...errors);
  }

  override _readyCheck(callback: (error: unknown, info?: Facts) => void): void {
    super._readyCheck((error, info) => {
      // The default user can have answered. A client that becomes ready forgets the cause, and reconnects without a pause.
      if (this.#rejected === this.stream) return;
      if (info !== undefined) facts.set(this, info);
      callback(error, info);
    });
  }

  override setStatus(status: string, argument?: unknown): void {
    withRealTicks(() => super.setStatus(status, argument)); // emits the status as an event
    if (status !== "reconnecting") return;
    // The client's own timer may be a replaced one. The first of the two connects.
    const reconnect = (): void => {
      if (this.status !== "reconnecting") return;
      clearTimeout(this.reconnectTimeout);
      this.connect().catch(() => {}); // the client reports failures as events
    };
    setTimeout(reconnect, Number(argument)).unref();
  }

  /** Ends a connection on which a command waits and no data arrives. */
  setSocketTimeout(): void {
    const { stream } = this;
    const { socketTimeout } = this.options;
    // Data that arrived while this process was busy is read first.
    const timer = setTimeout(() => setImmediate(end), socketTimeout);
    const end = (): void => {
      if (this.socketTimeoutTimer !== timer) return;
      this.socketTimeoutTimer = undefined;
      stream.destroy(new Error(`Socket timeout: no data arrived within ${socketTimeout} ms`));
    };
    this.socketTimeoutTimer = timer;
    stream.once("data", () => {
      clearTimeout(this.socketTimeoutTimer);
      this.socketTimeoutTimer = undefined;
      if (this.commandQueue.length > 0) this.setSocketTimeout();
    });
  }
}

/** Makes a client that connects, and connects again, even if a test has replaced the global timers. */
export function realTimeClient(options: RedisOptions): Valkey {
  return new RealTimeClient(options) as unknown as Valkey;
}
