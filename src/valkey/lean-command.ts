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

/** A command's name and its arguments. */
export type Words = readonly [name: string, ...args: string[]];

/** Encodes a command in the protocol RESP: each word after its length in bytes. */
function encode(words: Words): string {
  const text = lines(words, (word) => word.length);
  // To measure each word costs more than all the rest. If all are ASCII, their lengths are right.
  return Buffer.byteLength(text) === text.length ? text : lines(words, Buffer.byteLength);
}

function lines(words: Words, bytesOf: (word: string) => number): string {
  const parts = [`*${words.length}`];
  for (const word of words) parts.push(`$${bytesOf(word)}`, word);
  parts.push(""); // the last word too ends with a line end
  return parts.join("\r\n");
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
  readonly #words: Words;
  readonly #resolve: (reply: unknown) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    words: Words,
    keys: readonly string[],
    resolve: (reply: unknown) => void,
    reject: (error: Error) => void,
  ) {
    this.name = words[0];
    this.#keys = keys;
    this.#words = words;
    this.#resolve = resolve;
    this.reject = (error) => {
      clearTimeout(this.#timer);
      reject(error);
    };
  }

  toWritable(socket: Writable): string {
    gather(socket);
    return encode(this.#words);
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
  words: Words,
  keys: readonly string[],
  resolve: (reply: unknown) => void,
  reject: (error: Error) => void,
): void {
  const command = new LeanCommand(words, keys, resolve, reject);
  client.sendCommand(command as unknown as Command); // the class has private members that the client does not use
}

/**
 * Sends several commands at once, with one promise for all replies. It costs far less than a promise for each.
 *
 * @param commands whose only key is the word after the name
 * @returns the replies, with texts
 * @throws the client's first error, unchanged
 */
export function sendAll(client: Valkey, commands: readonly Words[]): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const replies: unknown[] = [];
    let missing = commands.length;
    if (missing === 0) resolve(replies);
    for (const [at, words] of commands.entries()) {
      const take = (reply: unknown): void => {
        replies[at] = reply;
        missing -= 1;
        if (missing === 0) resolve(replies);
      };
      sendCommand(client, words, words.slice(1, 2), take, reject);
    }
  });
}
