import type { Writable } from "node:stream";
import type { Command, Valkey } from "iovalkey";
import { clearTimeout, nextTick, setTimeout } from "./real-time.js";

/** Number of commands that each socket has gathered in this turn of the event loop. */
const gathered = new WeakMap<Writable, number>();

/** Commands in one system call. With more, the server would wait for this process, and this process for the server. */
const BATCH = 16;

/** Sends the commands of one turn of the event loop with few system calls. */
function gather(socket: Writable): void {
  const count = gathered.get(socket) ?? 0;
  gathered.set(socket, count + 1);
  if (count % BATCH !== 0) return;
  if (count > 0) socket.uncork();
  socket.cork();
  if (count > 0) return;
  nextTick(() => {
    gathered.delete(socket);
    socket.uncork();
  });
}

/** Encodes an argument in the protocol RESP. */
function encode(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

/** Encoded words that many commands share, by the word. */
const shared = new Map<string, string>();
const MOST_SHARED = 10_000;

/** Encodes a word once for all commands that contain it: a script's hash, the keys of a partition. */
export function shareWord(word: string): void {
  if (shared.has(word)) return;
  if (shared.size === MOST_SHARED) shared.clear();
  shared.set(word, Buffer.from(encode(word)).toString()); // one piece of text, not a chain of them
}

/** Decodes a reply, which has a Buffer for each text. */
function decode(reply: unknown): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString();
  return Array.isArray(reply) ? reply.map(decode) : reply;
}

/**
 * A command as iovalkey's `sendCommand` takes it. iovalkey's own Command costs about as much CPU as all the rest of a call:
 * it copies the arguments, chains three promises and looks for keys to prefix. This one also has no `args`: iovalkey
 * attaches them to errors and prints them for `DEBUG`, and they hold what callers store.
 */
class LeanCommand {
  readonly name: string;
  readonly args: readonly string[] = [];
  readonly inTransaction = false;
  isResolved = false;
  // A property, because a Cluster client replaces it.
  reject: (error: Error) => void;
  readonly #keys: readonly string[];
  readonly #text: string;
  readonly #resolve: (reply: unknown) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    name: string,
    words: readonly string[],
    keys: readonly string[],
    resolve: (reply: unknown) => void,
    reject: (error: Error) => void,
  ) {
    this.name = name;
    this.#keys = keys;
    let text = `*${1 + words.length}\r\n${encode(name)}`;
    for (const word of words) text += shared.get(word) ?? encode(word);
    this.#text = text;
    this.#resolve = resolve;
    this.reject = (error) => {
      clearTimeout(this.#timer);
      reject(error);
    };
  }

  toWritable(socket: Writable): string {
    gather(socket);
    return this.#text;
  }

  resolve(reply: unknown): void {
    this.isResolved = true;
    clearTimeout(this.#timer);
    this.#resolve(decode(reply));
  }

  /** Ends the call after `commandTimeout`, a setting of a caller's own client. */
  setTimeout(ms: number): void {
    this.#timer = setTimeout(() => this.reject(new Error("Command timed out")), ms);
  }

  getKeys(): readonly string[] {
    return this.#keys;
  }
}

/**
 * Sends a command once.
 *
 * @param keys those of the words that are keys
 * @param resolve takes the reply, with texts
 * @param reject takes the client's error, unchanged
 */
export function sendCommand(
  client: Valkey,
  name: string,
  words: readonly string[],
  keys: readonly string[],
  resolve: (reply: unknown) => void,
  reject: (error: Error) => void,
): void {
  const command = new LeanCommand(name, words, keys, resolve, reject);
  client.sendCommand(command as unknown as Command); // the class has private members that the client does not use
}
