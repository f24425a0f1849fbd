import type { RedisOptions, Valkey } from "iovalkey";
import { ClosedError } from "../errors/closed-error.js";
import type { LatchkeyError } from "../errors/latchkey-error.js";

/** Closes a connection at once, without a reconnection. */
export function hangUp(client: Valkey): void {
  // Another disconnect would wait two seconds for a socket that has closed.
  if (client.status === "end") return;
  // Between two attempts to connect, the client would never emit `end`. In the status `wait` it does at once.
  if (client.status === "reconnecting") client.status = "wait";
  client.disconnect();
}

/** Waits until a client is connected again, after any number of failures, or closed for good. */
export async function untilReadyOrEnded(client: Valkey): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      client.off("ready", done).off("end", done);
      resolve();
    };
    client.once("ready", done).once("end", done);
  });
}

/** Opens a client, and calls `onDial` with each one before it connects. `place` overrides settings. */
type Connect = (
  purpose: string,
  onDial: (client: Valkey) => void,
  place: Partial<RedisOptions>,
) => Promise<Valkey>;

/** All clients of one connection, so that `close` closes each of them. */
export class OpenClients {
  readonly #clients = new Set<Valkey>();
  readonly #connect: Connect;
  /** Error of all attempts to open a client after `close`. */
  #closed: LatchkeyError | undefined;
  #closing: () => void = () => {};

  constructor(connect: Connect) {
    this.#connect = connect;
  }

  /**
   * @param place settings of another server than the usual one
   * @throws the error of `close` if it was called before or meanwhile
   */
  async open(purpose: string, place: Partial<RedisOptions> = {}): Promise<Valkey> {
    const check = (): void => {
      if (this.#closed !== undefined) throw this.#closed;
    };
    const onDial = (dialed: Valkey): void => {
      check();
      this.#clients.add(dialed);
      dialed.once("end", () => this.#clients.delete(dialed));
    };
    check();
    // A failure after `close` has no other cause than `close`, which also ends a client that has just connected.
    return this.#connect(purpose, onDial, place).finally(check);
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** Reconnects each client, to the current primary. */
  reconnect(): void {
    for (const client of this.#clients) {
      if (client.status === "ready") client.disconnect(true);
    }
  }

  /** Adds work of `close`. */
  onClose(closing: () => void): void {
    this.#closing = closing;
  }

  /** Closes all clients. @param error rejects all further attempts to open one */
  close(error: LatchkeyError = new ClosedError()): void {
    this.#closed ??= error;
    this.#closing();
    for (const client of this.#clients) {
      const isConnecting = client.status !== "ready";
      hangUp(client);
      if (isConnecting) client.stream?.destroy(); // a frozen server keeps it open
    }
  }
}
