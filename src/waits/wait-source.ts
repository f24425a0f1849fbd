import type { Valkey } from "iovalkey";
import type { Snapshot } from "../contract/document.js";
import { readEntity } from "../contract/entity-hash.js";
import type { Feed, Follower } from "../events/feed.js";
import type { CompiledMachine } from "../machine/compiled.js";
import { type HistoryEntry, readHistory } from "../reads/history.js";
import { runQuestion } from "../valkey/ask.js";
import type { Connection } from "../valkey/connection.js";
import { entityKey, logKey } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { askFollowing, retryWhile } from "../valkey/retry.js";

/** A read of an entity: null if it does not exist, and its log if the read asked for it. */
export interface Found<S extends string> {
  readonly entity: Snapshot<S> | null;
  readonly log: readonly HistoryEntry<S>[];
}

/** The entities and the changes that a wait reads. */
export interface WaitSource<S extends string> {
  readonly definition: CompiledMachine;
  /** Returns the server of an entity: its address, for error texts, and whether a read can succeed now. */
  serverOf(id: string): Pick<Connection, "address" | "isReady" | "place">;
  /** Delivers each later change of an entity to a follower. Settles as soon as it does. */
  follow(follower: Follower): Promise<void>;
  leave(follower: Follower): void;
  /** Reads an entity, and retries while `isOpen`. @throws ClosedError, or NotExecutedError if there is no answer */
  read(id: string, hasLog: boolean, isOpen: () => boolean): Promise<Found<S>>;
  /** Reads an entity once. */
  readOnce(id: string, hasLog: boolean): Promise<Found<S>>;
}

/** Reads from a server. */
export class ServerSource<S extends string> implements WaitSource<S> {
  readonly #store: MachineStore;
  readonly #feed: Feed;

  constructor(store: MachineStore, feed: Feed) {
    this.#store = store;
    this.#feed = feed;
  }

  get definition(): CompiledMachine {
    return this.#store.definition;
  }

  serverOf(id: string): Connection {
    const { connection, location } = this.#store;
    return connection.of(entityKey(location, id));
  }

  follow(follower: Follower): Promise<void> {
    // Following begins late while a server of a cluster is away. What changes until then is in the entity's own log.
    if (this.#store.connection.isCluster && !this.#feed.isRunning) follower.onMissed();
    return this.#ask(follower.id, () => this.#feed.follow(follower));
  }

  leave(follower: Follower): void {
    this.#feed.leave(follower);
  }

  read(id: string, hasLog: boolean, isOpen: () => boolean): Promise<Found<S>> {
    const read = (client: Valkey) => this.#readWith(client, id, hasLog);
    return this.#ask(id, () => retryWhile(this.serverOf(id), isOpen, this.#name(id), read));
  }

  async readOnce(id: string, hasLog: boolean): Promise<Found<S>> {
    const server = this.serverOf(id);
    return askFollowing(server, server.client, (client) => this.#readWith(client, id, hasLog));
  }

  async #readWith(client: Valkey, id: string, hasLog: boolean): Promise<Found<S>> {
    const { location } = this.#store;
    const reads = client.multi().hgetall(entityKey(location, id));
    if (hasLog) reads.lrange(logKey(location, id), 0, -1);
    const [hash = {}, log = []] = ((await reads.exec()) ?? []).map(([error, reply]) => {
      if (error !== null) throw error;
      return reply;
    }) as [Record<string, string>?, string[]?];
    return { entity: readEntity<S>(location.machine, id, hash), log: readHistory<S>(log) };
  }

  #ask<T>(id: string, question: () => Promise<T>): Promise<T> {
    return runQuestion(this.#store.connection, this.#name(id), question);
  }

  #name(id: string): string {
    return `waiting for ${this.#store.location.machine} ${id}`;
  }
}
