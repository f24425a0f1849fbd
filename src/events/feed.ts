import { ConnectError } from "../errors/connect-error.js";
import { GapError } from "../errors/gap-error.js";
import { mayPassSoon } from "../valkey/connect-error.js";
import type { Connection } from "../valkey/connection.js";
import { allPartitionKeys, type MachineLocation } from "../valkey/keys.js";
import { retryWhile } from "../valkey/retry.js";
import { endOf } from "../valkey/stream.js";
import { logCursor } from "./cursor.js";
import { EventLog } from "./log.js";

/** Someone who wants to know of every change of one entity from now on. */
export interface Follower<C> {
  readonly id: string;
  onChange(change: C): void;
  /** Changes were missed: read the entity again. What comes later comes by `onChange` again. */
  onMissed(): void;
  /** Nothing will come any more. */
  onEnd(error: unknown): void;
}

/**
 * Tells any number of followers of changes, over one connection that follows the event log. It is open as long as there
 * is a follower.
 */
export class Feed<C extends { readonly id: string }> {
  readonly #connection: Connection;
  readonly #location: MachineLocation;
  readonly #read: (text: string) => C;
  readonly #followers = new Map<string, Set<Follower<C>>>();
  #run: { readonly begun: Promise<unknown>; readonly stop: AbortController } | undefined;

  constructor(connection: Connection, location: MachineLocation, read: (text: string) => C) {
    this.#connection = connection;
    this.#location = location;
    this.#read = read;
  }

  /**
   * Settles when the follower will be told of everything that happens from then on, which may be long where the server
   * is away: leave where it takes too long. @throws where that can't be.
   */
  async follow(follower: Follower<C>): Promise<void> {
    const same = this.#followers.get(follower.id) ?? new Set();
    this.#followers.set(follower.id, same.add(follower));
    this.#run ??= this.#start();
    await this.#run.begun;
  }

  leave(follower: Follower<C>): void {
    const same = this.#followers.get(follower.id);
    if (same?.delete(follower) === true && same.size === 0) this.#followers.delete(follower.id);
    if (this.#followers.size > 0) return;
    this.#run?.stop.abort();
    this.#run = undefined;
  }

  #start() {
    const stop = new AbortController();
    const run = { begun: this.#end(stop.signal), stop };
    const end = (error?: unknown): void => {
      if (this.#run !== run) return;
      this.#run = undefined;
      if (error === undefined) return;
      const all = this.#all();
      this.#followers.clear();
      for (const follower of all) follower.onEnd(error);
    };
    // Where it does not even begin, `follow` says so to each.
    run.begun.then(
      (cursor) => this.#tellAll(cursor, stop.signal).catch(end),
      () => end(),
    );
    return run;
  }

  /** Where the log ends now: all that is read of entities from here on is younger, or comes behind it. */
  async #end(signal: AbortSignal): Promise<string> {
    const { client } = this.#connection;
    const keys = allPartitionKeys(this.#location);
    const ends = await retryWhile(
      this.#connection,
      () => !signal.aborted,
      "the end of the event log",
      () => Promise.all(keys.map(({ events }) => endOf(client, events))),
    );
    return logCursor(ends);
  }

  async #tellAll(cursor: string, signal: AbortSignal): Promise<void> {
    for (let after = cursor; !signal.aborted; ) {
      const log = new EventLog(this.#connection, this.#location, { after, signal }, this.#read);
      try {
        for await (const change of log) {
          for (const follower of [...(this.#followers.get(change.id) ?? [])]) follower.onChange(change);
        }
        if (signal.aborted) return;
        throw new ConnectError(this.#connection.address, "ended");
      } catch (error) {
        if (error instanceof GapError) {
          after = error.cursor;
          for (const follower of this.#all()) follower.onMissed();
        } else if (error instanceof ConnectError && mayPassSoon(error)) {
          after = log.cursor ?? after; // each follower has a time limit of its own
        } else throw error;
      }
    }
  }

  #all(): Follower<C>[] {
    return [...this.#followers.values()].flatMap((same) => [...same]);
  }
}
