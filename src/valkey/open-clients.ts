import type { Valkey } from "iovalkey";
import { ClosedError } from "../errors/closed-error.js";

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

/** All clients of one connection, so that `close` closes each of them. */
export class OpenClients {
  readonly #clients = new Set<Valkey>();
  readonly #connect: (purpose: string, onDial: (client: Valkey) => void) => Promise<Valkey>;
  #isClosed = false;
  #closing: () => void = () => {};

  /** @param connect opens a client, and calls `onDial` with each one before it connects */
  constructor(connect: (purpose: string, onDial: (client: Valkey) => void) => Promise<Valkey>) {
    this.#connect = connect;
  }

  async open(purpose: string): Promise<Valkey> {
    const client = await this.#connect(purpose, (dialed) => {
      if (this.#isClosed) throw new ClosedError();
      this.#clients.add(dialed);
      dialed.once("end", () => this.#clients.delete(dialed));
    });
    if (this.#isClosed) hangUp(client);
    return client;
  }

  get isClosed(): boolean {
    return this.#isClosed;
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

  close(): void {
    this.#isClosed = true;
    this.#closing();
    for (const client of this.#clients) {
      const isConnecting = client.status !== "ready";
      hangUp(client);
      if (isConnecting) client.stream?.destroy(); // a frozen server keeps it open
    }
  }
}
