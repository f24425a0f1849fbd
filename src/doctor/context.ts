import { pairsOf } from "../contract/flat-reply.js";
import type { Connection } from "../valkey/connection.js";
import type { MachineLocation } from "../valkey/keys.js";
import { type Greeting, readGreeting } from "./greeting.js";
import { look, NotAllowed } from "./not-allowed.js";

/** The server, the user and the namespace that are looked at. Each question is asked once. */
export class DoctorContext {
  readonly connection: Connection;
  /** The namespace, and the machine whose keys stand for all in questions about rights. */
  readonly location: Omit<MachineLocation, "partitions">;
  /** This machine's wall clock, in ms. */
  readonly now: () => number;
  #greeting: Promise<Greeting> | undefined;
  #info: Promise<ReadonlyMap<string, string>> | undefined;
  #config: Promise<ReadonlyMap<string, string>> | undefined;

  constructor(
    connection: Connection,
    location: Omit<MachineLocation, "partitions">,
    now: () => number = Date.now,
  ) {
    this.connection = connection;
    this.location = location;
    this.now = now;
  }

  /** The user that this connection acts as. */
  get user(): string {
    return this.connection.client.options.username ?? "default";
  }

  /** Needs no right, since every user may say HELLO; tells more with the right to INFO. */
  greeting(): Promise<Greeting> {
    this.#greeting ??= this.#greet();
    return this.#greeting;
  }

  async #greet(): Promise<Greeting> {
    const hello = await look("hello", () => this.connection.client.call("HELLO"));
    const info = await this.info().catch((error: unknown) => {
      if (error instanceof NotAllowed) return undefined;
      throw error;
    });
    return readGreeting(settingsIn(hello), info);
  }

  /** INFO, by field. @throws NotAllowed */
  info(): Promise<ReadonlyMap<string, string>> {
    this.#info ??= look("info", async () => {
      const text = await this.connection.client.info();
      const lines = text.split(/\r?\n/).filter((line) => line.includes(":"));
      return new Map(
        lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
      );
    });
    return this.#info;
  }

  /** The settings that matter here, by name. @throws NotAllowed */
  config(): Promise<ReadonlyMap<string, string>> {
    this.#config ??= look("config|get", async () =>
      settingsIn(await this.connection.client.config("GET", ...SETTINGS)),
    );
    return this.#config;
  }

  /** One field of INFO; undefined where the server does not tell it. @throws NotAllowed */
  async infoField(name: string): Promise<string | undefined> {
    return (await this.info()).get(name);
  }

  /** One setting; undefined where the server has none of that name. @throws NotAllowed */
  async setting(name: (typeof SETTINGS)[number]): Promise<string | undefined> {
    return (await this.config()).get(name);
  }
}

const SETTINGS = [
  "appendonly",
  "appendfsync",
  "no-appendfsync-on-rewrite",
  "aof-load-truncated",
  "save",
  "min-replicas-to-write",
] as const;

/** Reads a flat reply of names and values. */
export function settingsIn(reply: unknown): Map<string, string> {
  return new Map(pairsOf(Array.isArray(reply) ? reply.map(String) : []));
}
