import type { Socket } from "node:net";

interface Held {
  readonly at: number;
  readonly bytes: Buffer;
}

/** One direction of a connection, which can be slow: what is held back goes on in its order. */
export class Pipe {
  readonly #socket: Socket;
  #held: Held[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** How long each piece is held back, in ms. */
  delayMs = 0;
  /** How many bytes go at once, once a millisecond; all, where 0. */
  dripBytes = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  write(bytes: Buffer): void {
    if (this.#held.length === 0 && this.delayMs === 0 && this.dripBytes === 0) {
      this.#socket.write(bytes);
      return;
    }
    const at = performance.now() + this.delayMs;
    if (this.dripBytes === 0) this.#held.push({ at, bytes });
    else {
      for (let from = 0; from < bytes.length; from += this.dripBytes) {
        this.#held.push({ at, bytes: bytes.subarray(from, from + this.dripBytes) });
      }
    }
    this.#timer ??= setTimeout(this.#release, 1);
  }

  /** Lets go at once of what is held back. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const held = this.#held;
    this.#held = [];
    for (const { bytes } of held) this.#socket.write(bytes);
  }

  /** Forgets what is held back. */
  drop(): void {
    clearTimeout(this.#timer);
    this.#held = [];
  }

  readonly #release = (): void => {
    this.#timer = undefined;
    const now = performance.now();
    let released = 0;
    for (const { at, bytes } of this.#held) {
      if (at > now || (this.dripBytes > 0 && released > 0)) break;
      this.#socket.write(bytes);
      released += 1;
    }
    this.#held.splice(0, released);
    if (this.#held.length > 0) this.#timer = setTimeout(this.#release, 1);
  };
}
