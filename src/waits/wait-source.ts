import type { Snapshot } from "../contract/document.js";
import { readEntity } from "../contract/entity-hash.js";
import type { Feed, Follower } from "../events/feed.js";
import type { CompiledMachine } from "../machine/compiled.js";
import { type HistoryEntry, readHistory } from "../reads/history.js";
import { askOnce } from "../valkey/ask.js";
import { entityKey, logKey } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { retryWhile } from "../valkey/retry.js";

/** A read of an entity: null if it does not exist, and its log if the read asked for it. */
export interface Found<S extends string> {
  readonly entity: Snapshot<S> | null;
  readonly log: readonly HistoryEntry<S>[];
}

/** The entities and the changes that a wait reads. */
export interface WaitSource<S extends string> {
  readonly definition: CompiledMachine;
  /** The server, for error texts. */
  readonly address: string;
  /** True if a read can succeed now. */
  readonly isReady: boolean;
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

  get address(): string {
    return this.#store.connection.address;
  }

  get isReady(): boolean {
    return this.#store.connection.client.status === "ready";
  }

  follow(follower: Follower): Promise<void> {
    return this.#ask(follower.id, () => this.#feed.follow(follower));
  }

  leave(follower: Follower): void {
    this.#feed.leave(follower);
  }

  read(id: string, hasLog: boolean, isOpen: () => boolean): Promise<Found<S>> {
    const { connection } = this.#store;
    return this.#ask(id, () =>
      retryWhile(connection, isOpen, this.#name(id), () => this.readOnce(id, hasLog)),
    );
  }

  async readOnce(id: string, hasLog: boolean): Promise<Found<S>> {
    const { connection, location } = this.#store;
    const reads = connection.client.multi().hgetall(entityKey(location, id));
    if (hasLog) reads.lrange(logKey(location, id), 0, -1);
    const [hash = {}, log = []] = ((await reads.exec()) ?? []).map(([error, reply]) => {
      if (error !== null) throw error;
      return reply;
    }) as [Record<string, string>?, string[]?];
    return { entity: readEntity<S>(location.machine, id, hash), log: readHistory<S>(log) };
  }

  #ask<T>(id: string, question: () => Promise<T>): Promise<T> {
    return askOnce(this.#store.connection, this.#name(id), question);
  }

  #name(id: string): string {
    return `waiting for ${this.#store.location.machine} ${id}`;
  }
}
