import { pairsOf } from "../contract/flat-reply.js";
import type { Connection } from "../valkey/connection.js";
import type { MachineLocation } from "../valkey/keys.js";
import { query, unlessDenied } from "./query.js";
import { readIdentity, type ServerIdentity } from "./server-identity.js";

/** Holds the server, the user and the namespace that the doctor checks. Sends each query once. */
export class DoctorContext {
  readonly connection: Connection;
  /** The namespace, and the machine whose keys represent all others in questions about permissions. */
  readonly location: Omit<MachineLocation, "partitions">;
  /** Returns the local wall clock, in ms. */
  readonly now: () => number;
  #identity: Promise<ServerIdentity> | undefined;
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

  /** Returns the user of this connection. */
  get user(): string {
    return this.connection.client.options.username ?? "default";
  }

  /** Identifies the server. HELLO needs no permission; the result is more precise with the permission for INFO. */
  identity(): Promise<ServerIdentity> {
    this.#identity ??= this.#identify();
    return this.#identity;
  }

  async #identify(): Promise<ServerIdentity> {
    const hello = await query("hello", () => this.connection.client.call("HELLO"));
    return readIdentity(pairs(hello), await unlessDenied(this.info()));
  }

  /** Returns the fields of INFO. @throws CheckDeniedError */
  info(): Promise<ReadonlyMap<string, string>> {
    this.#info ??= query("info", async () => {
      const text = await this.connection.client.info();
      return new Map(
        [...text.matchAll(/^([^:\r\n]*):(.*?)\r?$/gm)].map(([, name = "", value = ""]) => [name, value]),
      );
    });
    return this.#info;
  }

  /** Returns the settings that latchkey depends on. @throws CheckDeniedError */
  config(): Promise<ReadonlyMap<string, string>> {
    this.#config ??= query("config|get", async () =>
      pairs(await this.connection.client.config("GET", ...SETTINGS)),
    );
    return this.#config;
  }
}

const SETTINGS = [
  "appendonly",
  "appendfsync",
  "no-appendfsync-on-rewrite",
  "aof-load-truncated",
  "save",
  "min-replicas-to-write",
];

/** Turns a flat reply of names and values into a map. */
export function pairs(reply: unknown): Map<string, string> {
  return new Map(pairsOf(Array.isArray(reply) ? reply.map(String) : []));
}
