import type { Valkey } from "iovalkey";

/** Closes a connection now; nothing of it reconnects. */
export function hangUp(client: Valkey): void {
  // Ended already: disconnecting again would wait two seconds for a socket that has closed.
  if (client.status === "end") return;
  // Between two attempts to connect it would never tell that it has ended; one that did not begin yet does, at once.
  if (client.status === "reconnecting") client.status = "wait";
  client.disconnect();
}

/** The clients of one connection, so that closing it leaves none behind. */
export class OpenClients {
  readonly #clients = new Set<Valkey>();
  readonly #connect: (purpose: string) => Promise<Valkey>;
  #isClosed = false;
  #closing: () => void = () => {};

  constructor(connect: (purpose: string) => Promise<Valkey>) {
    this.#connect = connect;
  }

  async open(purpose: string): Promise<Valkey> {
    const client = await this.#connect(purpose);
    this.#clients.add(client);
    client.once("end", () => this.#clients.delete(client));
    if (this.#isClosed) hangUp(client);
    return client;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Leaves the server that each is connected to, for the one that is the primary now. */
  reconnect(): void {
    for (const client of this.#clients) {
      if (client.status === "ready") client.disconnect(true);
    }
  }

  /** What else ends when these are closed. */
  onClose(closing: () => void): void {
    this.#closing = closing;
  }

  close(): void {
    this.#isClosed = true;
    this.#closing();
    for (const client of this.#clients) hangUp(client);
  }
}
