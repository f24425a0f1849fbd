import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Bytes of a message of the bus that hold the ID of its sender. */
const [SENDER, SENDER_END] = [40, 80];

/** Selects links by the ID of the node that opened them. */
export type LinkFilter = (sender: string) => boolean;

/** A TCP proxy in front of a node's port of the cluster bus. It can cut single nodes off without closing a connection. */
export class BusProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #isCut: LinkFilter | undefined;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** Opens a proxy in front of a port of this machine. */
  static async open(target: number): Promise<BusProxy> {
    const server = createServer();
    server.on("error", () => {}); // for example, too many open files: new links fail, and are tried again
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy has no port");
    const proxy = new BusProxy(server, address.port);
    server.on("connection", (near) => proxy.#open(near, target));
    return proxy;
  }

  /** Drops everything on the links of some senders, on present and new ones. */
  cut(isCut: LinkFilter): void {
    this.#isCut = isCut;
    for (const link of this.#links) this.#treat(link);
  }

  /** Forwards everything again. Closes the links that lost bytes. */
  heal(): void {
    this.#isCut = undefined;
    for (const link of [...this.#links]) if (link.isSilent) link.close();
  }

  async close(): Promise<void> {
    for (const link of [...this.#links]) link.close();
    this.#server.close();
    await once(this.#server, "close");
  }

  #open(near: Socket, target: number): void {
    const link: Link = new Link(near, target, {
      onSender: () => this.#treat(link),
      onClose: () => this.#links.delete(link),
    });
    this.#links.add(link);
  }

  #treat(link: Link): void {
    if (link.sender !== undefined && this.#isCut?.(link.sender) === true) link.isSilent = true;
  }
}

/** One link: the node that opened it asks, the other one answers. */
class Link {
  readonly #near: Socket;
  readonly #far: Socket;
  #first: Buffer = Buffer.alloc(0);
  sender: string | undefined;
  isSilent = false;

  constructor(near: Socket, target: number, on: { onSender: () => void; onClose: () => void }) {
    this.#near = near;
    this.#far = connect(target, "127.0.0.1");
    for (const socket of [near, this.#far]) {
      socket.setNoDelay(true);
      socket.on("error", () => {}); // "close" follows
      socket.on("end", () => this.close());
      socket.on("close", () => {
        this.close();
        on.onClose();
      });
    }
    near.on("data", (bytes: Buffer) => {
      if (this.sender !== undefined) return this.#pass(this.#far, bytes);
      this.#first = Buffer.concat([this.#first, bytes]);
      if (this.#first.length < SENDER_END) return;
      this.sender = this.#first.toString("latin1", SENDER, SENDER_END);
      on.onSender();
      this.#pass(this.#far, this.#first);
    });
    this.#far.on("data", (bytes: Buffer) => this.#pass(this.#near, bytes));
  }

  close(): void {
    this.#near.destroy();
    this.#far.destroy();
  }

  #pass(socket: Socket, bytes: Buffer): void {
    if (!this.isSilent && socket.writable) socket.write(bytes);
  }
}
