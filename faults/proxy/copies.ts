import { connect } from "node:net";
import { Framer } from "./framer.js";

/** Called with the reply to a copy. A copy without a reply may have been executed. */
export type OnReply = (reply: Buffer) => void;

/** Called just before a copy is delivered. The result is called with the reply. */
export type OnCopy = (request: readonly string[]) => OnReply;

/** Waits this long for the reply to a copy. */
const SILENCE_MS = 30_000;

/** Delivers copies of requests over connections of their own. Their replies reach no client. */
export class Copies {
  readonly #target: number;
  readonly #ends = new Set<() => void>();

  constructor(target: number) {
    this.#target = target;
  }

  /** Delivers a request after a delay. */
  send(frame: Buffer, delayMs: number, onCopy: OnCopy): void {
    const bytes = Buffer.from(frame); // the frame is a part of a larger buffer
    const timer = setTimeout(() => {
      this.#ends.delete(cancel);
      this.#deliver(bytes, onCopy);
    }, delayMs);
    const cancel = (): void => clearTimeout(timer);
    this.#ends.add(cancel);
  }

  /** Delivers nothing more. */
  close(): void {
    for (const end of this.#ends) end();
    this.#ends.clear();
  }

  #deliver(bytes: Buffer, onCopy: OnCopy): void {
    const replies = new Framer();
    const socket = connect(this.#target, "127.0.0.1");
    const end = (): void => {
      this.#ends.delete(end);
      socket.destroy();
    };
    this.#ends.add(end);
    let onReply: OnReply | undefined;
    socket.setNoDelay(true);
    socket.setTimeout(SILENCE_MS, end);
    socket.on("error", () => {}); // "close" follows
    socket.on("close", end);
    socket.on("connect", () => {
      onReply = onCopy(wordsOf(bytes));
      socket.write(bytes);
    });
    socket.on("data", (piece) => {
      const [reply] = replies.push(piece);
      if (reply === undefined) return;
      onReply?.(reply);
      end();
    });
  }
}

/** Returns the words of a request or reply: an array of bulk strings. A null becomes an empty word. */
export function wordsOf(frame: Buffer): string[] {
  const words: string[] = [];
  let at = frame.indexOf("\r\n") + 2;
  while (at < frame.length) {
    const start = frame.indexOf("\r\n", at) + 2;
    const length = Number(frame.toString("latin1", at + 1, start - 2));
    words.push(length < 0 ? "" : frame.toString("utf8", start, start + length));
    at = length < 0 ? start : start + length + 2;
  }
  return words;
}
