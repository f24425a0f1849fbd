import type { Socket } from "node:net";

interface Piece {
  readonly at: number;
  readonly bytes: Buffer;
}

/** Forwards one direction of a connection, optionally slowly. Delayed bytes keep their order. */
export class Pipe {
  readonly #socket: Socket;
  #queue: Piece[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Delay of each piece, in ms. */
  delayMs = 0;
  /** Bytes per millisecond; 0 for no limit. */
  dripBytes = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  write(bytes: Buffer): void {
    if (this.#queue.length === 0 && this.delayMs === 0 && this.dripBytes === 0) {
      this.#socket.write(bytes);
      return;
    }
    const at = performance.now() + this.delayMs;
    if (this.dripBytes === 0) this.#queue.push({ at, bytes });
    else {
      for (let from = 0; from < bytes.length; from += this.dripBytes) {
        this.#queue.push({ at, bytes: bytes.subarray(from, from + this.dripBytes) });
      }
    }
    this.#timer ??= setTimeout(this.#release, 1);
  }

  /** Sends all delayed bytes at once. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const queue = this.#queue;
    this.#queue = [];
    for (const { bytes } of queue) this.#socket.write(bytes);
  }

  /** Discards all delayed bytes. */
  drop(): void {
    clearTimeout(this.#timer);
    this.#queue = [];
  }

  readonly #release = (): void => {
    this.#timer = undefined;
    const now = performance.now();
    let released = 0;
    for (const { at, bytes } of this.#queue) {
      if (at > now || (this.dripBytes > 0 && released > 0)) break;
      this.#socket.write(bytes);
      released += 1;
    }
    this.#queue.splice(0, released);
    if (this.#queue.length > 0) this.#timer = setTimeout(this.#release, 1);
  };
}
