import { Valkey } from "iovalkey";
import { type Operation, scripts } from "../../src/lua/index.js";
import { atFileEnd } from "./file-end.js";
import { freshNamespace, useValkey } from "./valkey.js";

export type Argument = string | number | Buffer;
export type Reply = [outcome: string, document: string | null, position: string | null];
export type Definition = { readonly name: string } & Record<string, unknown>;
export type Document = Record<string, unknown> & { state: string; version: number; timestamp: string };
/** A change in an entity's own log. */
export type LogRecord = Record<string, unknown> & { position: string; version: number; op: string };

/** Returns the options of an idempotency key, and of a position that was known before the first attempt. */
export const op = (key: string, seen = "0-0") => ["OP", key, "SEEN", seen];

/** A plain connection that neither queues nor retries, closed when the test file is done. */
export async function connection(
  user?: { username: string; password: string },
  server: { readonly host: string; readonly port: number } | undefined = undefined,
): Promise<Valkey> {
  const { host, port } = server ?? (await useValkey());
  const valkey = new Valkey({ host, port, ...user, lazyConnect: true, maxRetriesPerRequest: 0 });
  valkey.on("error", () => {}); // a call in flight fails by itself
  atFileEnd(() => valkey.disconnect());
  await valkey.connect();
  return valkey;
}

let shared: Promise<Valkey> | undefined;

/** The connection of this test file that may do everything. */
export function admin(): Promise<Valkey> {
  if (shared === undefined) {
    shared = connection();
    atFileEnd(() => {
      shared = undefined;
    });
  }
  return shared;
}

/** Runs a script by its SHA-1, and loads it where the server does not have it. Replies are text. */
export async function evalsha(
  valkey: Valkey,
  operation: Operation,
  keys: readonly string[],
  args: readonly Argument[],
): Promise<Reply> {
  const { sha1, text } = scripts[operation];
  const run = () => valkey.evalsha(sha1, keys.length, ...keys, ...args) as Promise<Reply>;
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
    await valkey.script("LOAD", text);
    return run();
  }
}

/** One machine in a namespace of its own, called the way any client calls it: EVALSHA and nothing else. */
export class Calls {
  readonly namespace: string;
  readonly machine: string;
  readonly prefix: string;
  readonly channel: string;
  readonly valkey: Valkey;

  constructor(valkey: Valkey, machine: string, namespace = freshNamespace()) {
    this.valkey = valkey;
    this.namespace = namespace;
    this.machine = machine;
    this.prefix = `{${namespace}:0}:${machine}:`;
    this.channel = `${namespace}:${machine}:events`;
  }

  /** Uses the same namespace and machine with another connection. */
  as(valkey: Valkey): Calls {
    return new Calls(valkey, this.machine, this.namespace);
  }

  /** A key of the machine: `machine`, `index`, `due`, `events`, `id:<id>` or `log:<id>`. */
  key(rest: string): string {
    return this.prefix + rest;
  }

  /** Returns the keys that apply takes. */
  applyKeys(): string[] {
    return [this.key("machine"), this.key("index"), `{${this.namespace}:0}:machines`];
  }

  keys(id: string): string[] {
    return [`id:${id}`, `log:${id}`, "machine", "index", "due", "events"].map((rest) => this.key(rest));
  }

  /** Runs any operation on an entity. */
  run(operation: Operation, id: string, ...args: Argument[]): Promise<Reply> {
    return evalsha(this.valkey, operation, this.keys(id), [id, ...args]);
  }

  /** Makes a call whose outcome must be OK, and returns the parsed document. */
  async ok(operation: Operation, id: string, ...args: Argument[]): Promise<Document> {
    const [outcome, document] = await this.run(operation, id, ...args);
    if (outcome !== "OK") throw new Error(`${operation} was answered with ${outcome} ${document}`);
    return JSON.parse(String(document));
  }

  apply(definition: Definition | string, ...args: Argument[]): Promise<Reply> {
    const text = typeof definition === "string" ? definition : JSON.stringify(definition);
    return evalsha(this.valkey, "apply", this.applyKeys(), [text, ...args]);
  }

  /** The error of a call that must fail with one, as its text. */
  async error(operation: Operation, keys: readonly string[], args: readonly Argument[]): Promise<string> {
    const answer = await evalsha(this.valkey, operation, keys, args).catch((error: unknown) => error);
    if (!(answer instanceof Error)) throw new Error(`${operation} was answered with ${answer}`);
    return answer.message;
  }

  /** The entity's hash. */
  hash(id: string): Promise<Record<string, string>> {
    return this.valkey.hgetall(this.key(`id:${id}`));
  }

  /** Returns the elements of the entity's log, oldest first: a record and an idempotency key for each change. */
  log(id: string): Promise<string[]> {
    return this.valkey.lrange(this.key(`log:${id}`), 0, -1);
  }

  /** Returns the changes that the entity's log holds, oldest first, each with its idempotency key. */
  async changes(id: string): Promise<LogRecord[]> {
    const elements = await this.log(id);
    if (elements.length % 2 !== 0) throw new Error(`The log of ${id} holds ${elements.length} elements`);
    return elements.flatMap((text, at) =>
      at % 2 === 0 ? [{ ...JSON.parse(text), op: elements[at + 1] }] : [],
    );
  }

  /** Returns the end of the event log: the position of the newest change. */
  async end(): Promise<string> {
    if ((await this.valkey.exists(this.key("events"))) === 0) return "0-0";
    const facts = (await this.valkey.xinfo("STREAM", this.key("events"))) as string[];
    return String(facts[facts.indexOf("last-generated-id") + 1]);
  }

  /** The documents in the machine's stream, oldest first. */
  async events(): Promise<string[]> {
    const entries = await this.valkey.xrange(this.key("events"), "-", "+");
    return entries.map(([, [field, document]]) => {
      if (field !== "doc") throw new Error(`An entry of the stream holds ${field}`);
      return String(document);
    });
  }

  score(key: "index" | "due", id: string): Promise<string | null> {
    return this.valkey.zscore(this.key(key), id);
  }
}

/** Applies the definition in a new namespace. */
export async function machine(definition: Definition): Promise<Calls> {
  const calls = new Calls(await admin(), definition.name);
  const [outcome, document] = await calls.apply(definition);
  if (outcome !== "OK") throw new Error(`apply was answered with ${outcome} ${document}`);
  return calls;
}
