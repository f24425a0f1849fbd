import type { Writable } from "node:stream";
import type { Command, Valkey } from "iovalkey";
import type { Script } from "../lua/index.js";

/** Sockets that gather what is written in this turn of the event loop. */
const gathering = new WeakSet<Writable>();

/** Sends everything that is written in this turn of the event loop with one system call. */
function gather(socket: Writable): void {
  if (gathering.has(socket)) return;
  gathering.add(socket);
  socket.cork();
  process.nextTick(() => {
    gathering.delete(socket);
    socket.uncork();
  });
}

/** Encodes an argument in the protocol RESP. */
function encode(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

/** Decodes a reply, which has a Buffer for each text. */
function decode(reply: unknown): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString();
  return Array.isArray(reply) ? reply.map(decode) : reply;
}

/**
 * A call of a script, as iovalkey's `sendCommand` takes it. iovalkey's own Command costs about as much CPU as all the rest
 * of a call: it copies the arguments, chains three promises and looks for keys to prefix. This one also has no
 * `args`: iovalkey attaches them to errors and prints them for `DEBUG`, and they hold what callers store.
 */
class ScriptCommand {
  readonly name: string;
  readonly args: readonly string[] = [];
  readonly inTransaction = false;
  readonly promise: Promise<unknown>;
  isResolved = false;
  // A property, because a Cluster client replaces it.
  reject: (error: Error) => void;
  #resolve: (reply: unknown) => void;
  readonly #keys: readonly string[];
  readonly #text: string;

  constructor(name: string, sha1: string, keys: readonly string[], args: readonly string[]) {
    this.name = name;
    this.#keys = keys;
    let text = `*${3 + keys.length + args.length}\r\n${encode(name)}${encode(sha1)}${encode(String(keys.length))}`;
    for (const key of keys) text += encode(key);
    for (const arg of args) text += encode(arg);
    this.#text = text;
    let settle: [(reply: unknown) => void, (error: Error) => void] | undefined;
    this.promise = new Promise((resolve, reject) => {
      settle = [resolve, reject];
    });
    [this.#resolve, this.reject] = settle ?? [() => {}, () => {}];
  }

  toWritable(socket: Writable): string {
    gather(socket);
    return this.#text;
  }

  resolve(reply: unknown): void {
    this.isResolved = true;
    this.#resolve(decode(reply));
  }

  /** Ends the call after `commandTimeout`, a setting of a caller's own client. */
  setTimeout(ms: number): void {
    const timer = setTimeout(() => this.reject(new Error("Command timed out")), ms);
    const stop = (): void => clearTimeout(timer);
    this.promise.then(stop, stop);
  }

  getKeys(): readonly string[] {
    return this.#keys;
  }
}

/** Sends a call of a script once. @throws the client's error, unchanged */
export function sendScript(
  client: Valkey,
  script: Script,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  // A user who may only read may not call EVALSHA.
  const name = script.text.startsWith("#!lua flags=no-writes") ? "evalsha_ro" : "evalsha";
  const command = new ScriptCommand(name, script.sha1, keys, args);
  client.sendCommand(command as unknown as Command); // the class has private members that the client does not use
  return command.promise;
}
