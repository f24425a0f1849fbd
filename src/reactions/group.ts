import type { Valkey } from "iovalkey";
import { reactionScripts } from "../lua/reactions.js";
import type { Connection } from "../valkey/connection.js";
import { Deadline } from "../valkey/deadline.js";
import { replyCode } from "../valkey/failure.js";
import { type MachineLocation, type ReactionKeys, reactionKeys } from "../valkey/keys.js";
import { retry } from "../valkey/retry.js";
import { runScript } from "../valkey/script.js";
import { createGroup, createLogGroup, type GroupStart } from "./create-group.js";
import { endError } from "./end.js";
import { FORGOTTEN_KEPT_MS } from "./forget.js";
import type { MissedEvents } from "./settings.js";

/** An event that was delivered to this replica. `mark` is `e` for the event log, `d` for a retried dead letter. */
export interface Delivery {
  readonly mark: "e" | "d";
  readonly id: string;
  readonly entity: string;
  /** Number of attempts that do not count, because their replica crashed while it made others too. */
  readonly excused: number;
}

/** Result of one `take`. */
export interface Batch {
  readonly deliveries: readonly Delivery[];
  readonly hasMore: boolean;
  /** True if events of this replica may have been reassigned. */
  readonly isStale: boolean;
  readonly missed: MissedEvents | undefined;
}

/** Start of an attempt to handle an event. */
export interface AttemptStart {
  readonly attempt: number;
  /** Undefined if the event was trimmed from the log; empty if the entry has no document. */
  readonly text: string | undefined;
  /** Number of attempts that may follow; -1 if all were made before, and this one does not count. */
  readonly left: number;
}

/** Final result of an event: handled, trimmed from the log before that, or dead-lettered. */
export type Ending =
  | { readonly how: "done" | "lost" }
  | { readonly how: "dead"; readonly error: string; readonly text: string };

/** Arguments of `take`. */
export interface TakeOptions {
  readonly count: number;
  readonly takeOverMs: number;
  /** Time in ms between an event and its delivery. */
  readonly delayMs: number;
  /** Sorted; empty for all. */
  readonly types: readonly string[];
}

/**
 * One partition of a reaction, as one consumer sees it. Each call is retried while that may help. A call that writes
 * carries a number, by which the server distinguishes repeated, new and outdated calls.
 */
export class ReactionGroup {
  readonly partition: number;
  readonly keys: ReactionKeys;
  /** Time at which the next event is due, if the last `take` left one for later. */
  due: Deadline | undefined;
  /** Start in the log if the reaction does not exist. */
  from: GroupStart;
  readonly #connection: Connection;
  readonly #name: string;
  readonly #consumer: string;
  /** Server time in ms of the last reply to `take`; undefined before the first. */
  #lastSeenMs: number | undefined;
  #calls = 0;
  /** Number of the last `take` whose reply arrived. */
  #lastReply = 0;
  /** Number of requests to deliver all events of this consumer again. */
  #resets = 0;
  /** Number of those that were answered. */
  #resetsDone = 0;
  #epoch: number;
  #exists = false;

  constructor(
    connection: Connection,
    location: MachineLocation,
    partition: number,
    name: string,
    consumer: string,
    from: GroupStart = "end",
  ) {
    this.partition = partition;
    this.from = from;
    this.keys = reactionKeys(location, partition, name);
    this.#connection = connection.of(this.keys.events);
    this.#name = name;
    this.#consumer = consumer;
    this.#epoch = this.#connection.epoch;
  }

  /** True if its server is connected. True without a cluster too: then no other partition could go first. */
  get isReachable(): boolean {
    return !this.#connection.isCluster || this.#connection.isReady;
  }

  /** True after the consumer groups were created, or existed. */
  get exists(): boolean {
    return this.#exists;
  }

  /** Returns the number of a new call. */
  nextCall(): number {
    this.#calls += 1;
    return this.#calls;
  }

  /** Makes the next `take` return all events of this consumer, known ones included. */
  reset(): void {
    this.#resets += 1;
  }

  /** Creates the consumer groups if they do not exist. */
  async create(from: GroupStart = this.from): Promise<void> {
    await this.#ask("creating", (client) => this.createWith(client, from));
  }

  /** Creates the consumer groups, once, with a client of the server that holds them. */
  async createWith(client: Valkey, from: GroupStart = this.from): Promise<void> {
    await createLogGroup(this.#connection, client, this.keys.events, this.#name, from);
    await createGroup(client, this.keys.deadLetters, this.#name, "0");
    this.#exists = true;
  }

  /** Registers this replica without taking events. @throws what `take` throws */
  async join(options: Omit<TakeOptions, "count">): Promise<void> {
    await this.take({ ...options, count: -1 });
  }

  /**
   * Sends a heartbeat and takes up to `count` events: those of dead replicas, then new ones.
   *
   * @throws ContractError if other replicas use other event types (BADARG), or the reaction was forgotten (NOREACTION).
   */
  async take(options: TakeOptions): Promise<Batch> {
    const { count, takeOverMs, delayMs, types } = options;
    const knownMs = this.#lastSeenMs === undefined ? 0 : this.#lastSeenMs + FORGOTTEN_KEPT_MS;
    let call = 0;
    let resets = 0;
    // A retry is a call of its own: the reply contains everything from earlier replies that were lost.
    const args = (): string[] => {
      // After a failover the server may have lost that events were finished.
      if (this.#epoch !== this.#connection.epoch) this.reset();
      this.#epoch = this.#connection.epoch;
      call = this.nextCall();
      resets = this.#resets;
      const all = resets === this.#resetsDone ? 0 : 1;
      return [count, all, takeOverMs, knownMs, call, this.#lastReply, delayMs, ...types].map(String);
    };
    const reply = await this.#run("take", args).catch((error: unknown) => {
      // A proxy delivered a copy of this call before the call itself. The next reply contains what the copy got.
      if (replyCode(error) === "OLDCALL") return undefined;
      throw endError(error, this.#name, types) ?? error;
    });
    if (reply === undefined) return this.take(options);
    const [events, , more, stale, lost, nowMs, dueInMs] = reply as RawBatch;
    this.#lastSeenMs = nowMs;
    this.#lastReply = call;
    this.due = dueInMs === null ? undefined : Deadline.in(dueInMs);
    if (count >= 0) this.#resetsDone = resets;
    const [from = "", to = "", missed = 0] = lost ?? [];
    return {
      deliveries: events.map(([mark, id, entity, excused]) => ({ mark, id, entity, excused })),
      hasMore: more === 1,
      isStale: stale === 1,
      missed: lost ? { partition: this.partition, from, to, count: missed || undefined } : undefined,
    };
  }

  /**
   * Counts an attempt, once per `call`.
   *
   * @param most the largest number of attempts that count
   * @param isAlone true if no other attempt runs in this replica until this one has ended
   * @returns undefined if the event was reassigned
   */
  async begin(
    delivery: Delivery,
    call: number,
    most: number,
    isAlone: boolean,
  ): Promise<AttemptStart | undefined> {
    const reply = await this.#runOn(delivery, "begin", call, most, isAlone ? 1 : 0);
    if (!Array.isArray(reply)) return undefined;
    const [attempt, text, left] = reply as [number, string | null, number];
    return { attempt, text: text ?? undefined, left };
  }

  /**
   * Ends an attempt whose event is not finished, once. Works too if the server has not received its `begin`.
   *
   * @param begun the attempt's number of `begin`
   * @param ending `"failed"`, or `"stopped"`: the attempt does not count
   * @returns false if the event was reassigned
   */
  async pause(
    delivery: Delivery,
    begun: number,
    call: number,
    ending: "failed" | "stopped",
  ): Promise<boolean> {
    return (await this.#runOn(delivery, "pause", begun, call, ending)) === "OK";
  }

  /**
   * Finishes an event. A repeated call returns the same.
   *
   * @param begun the attempt's number of `begin`
   * @param digest SHA-1 of the event that `begin` returned
   * @returns the entity's next event, which now belongs to this consumer; null without a next event; undefined if the event
   *   was reassigned, or a failover gave its ID to another one
   */
  async finish(
    delivery: Delivery,
    begun: number,
    call: number,
    ending: Ending,
    digest = "",
  ): Promise<Delivery | null | undefined> {
    const letter = ending.how === "dead" ? [ending.error, ending.text] : [];
    const reply = await this.#runOn(delivery, "finish", begun, call, ending.how, digest, ...letter);
    if (!Array.isArray(reply)) return undefined;
    const next = reply as [] | [mark: Delivery["mark"], id: string];
    if (next.length === 0) return null;
    const [mark, id] = next;
    return { mark, id, entity: delivery.entity, excused: 0 };
  }

  /** Returns true if an event still belongs to this consumer. */
  async owns({ mark, id }: Delivery): Promise<boolean> {
    const key = mark === "e" ? this.keys.events : this.keys.deadLetters;
    const rows = await this.#ask("asking", (client) => client.xpending(key, this.#name, id, id, 1)).catch(
      (error: unknown) => {
        if (replyCode(error) === "NOGROUP") return [];
        throw error;
      },
    );
    return (rows as [id: string, consumer: string][])[0]?.[1] === this.#consumer;
  }

  /** Removes this replica, so that its events are reassigned at once. */
  async leave(): Promise<void> {
    await this.#ask("leaving", (client) => client.zrem(this.keys.lastSeen, this.#consumer));
  }

  async #runOn(
    { mark, id, entity }: Delivery,
    script: keyof typeof reactionScripts,
    ...args: readonly (string | number)[]
  ): Promise<unknown> {
    return this.#run(script, () => [mark, id, entity, ...args.map(String)]);
  }

  /** @param args makes the script's further arguments, anew for each attempt */
  async #run(script: keyof typeof reactionScripts, args: () => readonly string[]): Promise<unknown> {
    const keys = Object.values(this.keys);
    return this.#ask(script, (client) =>
      runScript(client, reactionScripts[script], keys, [this.#name, this.#consumer, ...args()]),
    );
  }

  async #ask<T>(what: string, question: (client: Valkey) => Promise<T>): Promise<T> {
    const connection = this.#connection;
    const name = `${what} of reaction ${this.#name}`;
    return retry(connection, Deadline.in(connection.timeoutMs), name, question);
  }
}

type RawBatch = [
  events: [mark: "e" | "d", id: string, entity: string, excused: number][],
  position: string,
  more: number,
  stale: number,
  lost: [from: string, to: string, count: number] | null,
  nowMs: number,
  dueInMs: number | null,
];
