import type { Valkey } from "iovalkey";
import { reactionScripts } from "../lua/reactions.js";
import type { Connection } from "../valkey/connection.js";
import { Deadline } from "../valkey/deadline.js";
import { replyCode, safeMessage } from "../valkey/failure.js";
import { type MachineLocation, type ReactionKeys, reactionKeys } from "../valkey/keys.js";
import { retry } from "../valkey/retry.js";
import { runScript } from "../valkey/script.js";
import { START } from "../valkey/stream.js";
import { OtherEventsError, ReactionGoneError } from "./ended.js";
import { FORGOTTEN_KEPT_MS } from "./forget-partition.js";

/** One event that a replica has to handle. `mark` is `e` where it is from the log, `d` for a dead letter tried again. */
export interface Assignment {
  readonly mark: "e" | "d";
  readonly id: string;
  readonly entity: string;
}

/** Events of a reaction that nobody had handled when the log was trimmed past them. */
export interface MissedEvents {
  readonly partition: number;
  /** Behind this id of the partition's stream, up to `to`. */
  readonly from: string;
  readonly to: string;
  /** How many; undefined where that can't be told. */
  readonly count: number | undefined;
}

/** What a replica was given. */
export interface Taken {
  readonly given: readonly Assignment[];
  /** Up to where the log was given out. */
  readonly delivered: string;
  readonly hasMore: boolean;
  /** Others may have taken its events over. */
  readonly isStale: boolean;
  readonly missed: MissedEvents | undefined;
}

/** An event, and which try this is. */
export interface Begun {
  readonly attempt: number;
  /** Undefined where the log was trimmed past it. */
  readonly text: string | undefined;
  /** All tries were made before: this is none. */
  readonly isSpent: boolean;
}

/** How an event ended: well, given up for an error, or lost by the log before that. */
export type Ending =
  | { readonly how: "done" | "lost" }
  | { readonly how: "dead"; readonly error: string; readonly text: string };

/** What to look for. */
export interface Taking {
  readonly count: number;
  readonly takeOverMs: number;
  /** Sorted. */
  readonly types: readonly string[];
}

/**
 * One partition's share of a reaction, as one consumer sees it. Every call tries again while that may help. All that
 * change something bear a number, by which the server tells a repeat from a new call and a late one from a present one.
 */
export class ReactionGroup {
  readonly partition: number;
  readonly keys: ReactionKeys;
  readonly #connection: Connection;
  readonly #name: string;
  readonly #consumer: string;
  /** Server time in ms of the last answer to `take`; undefined before the first. */
  #seenMs: number | undefined;
  #calls = 0;
  /** The last call of `take` whose answer is here. */
  #told = 0;
  /** The last event known to be this consumer's. */
  #after = START;
  #epoch: number;
  #forgotten = 0;

  constructor(
    connection: Connection,
    location: MachineLocation,
    partition: number,
    name: string,
    consumer: string,
  ) {
    this.partition = partition;
    this.keys = reactionKeys(location, partition, name);
    this.#connection = connection;
    this.#name = name;
    this.#consumer = consumer;
    this.#epoch = connection.epoch;
  }

  /** Numbers a call. */
  nextCall(): number {
    this.#calls += 1;
    return this.#calls;
  }

  /** Has the next `take` give all that is this consumer's, known or not. */
  askAnew(): void {
    this.#after = START;
    this.#forgotten += 1;
  }

  /** Makes the group where it is not there yet; leaves one that is as it is. */
  async create(from: "start" | "end"): Promise<void> {
    const { events, dead } = this.keys;
    await this.#ask("creating", (client) =>
      createGroup(client, events, this.#name, from === "start" ? "0" : "$"),
    );
    await this.#ask("creating", (client) => createGroup(client, dead, this.#name, "0"));
  }

  /** Tells the others that this replica is there. @throws what `take` throws */
  async join({ takeOverMs, types }: Omit<Taking, "count">): Promise<void> {
    await this.take({ count: -1, takeOverMs, types });
  }

  /** @throws OtherEventsError where other replicas want other events, ReactionGoneError where it was forgotten */
  async take({ count, takeOverMs, types }: Taking): Promise<Taken> {
    const known = this.#seenMs === undefined ? 0 : this.#seenMs + FORGOTTEN_KEPT_MS;
    let number = 0;
    let forgotten = 0;
    // A repeat is a call of its own: the server tells it what the answers before told that did not come here.
    const words = (): string[] => {
      // After a failover the server may hold for open what was finished.
      if (this.#epoch !== this.#connection.epoch) this.askAnew();
      this.#epoch = this.#connection.epoch;
      number = this.nextCall();
      forgotten = this.#forgotten;
      const numbers = [takeOverMs, known, number, this.#told].map(String);
      return [String(count), this.#after, ...numbers, ...types];
    };
    const reply = await this.#run("take", words).catch((error: unknown) => {
      const code = replyCode(error);
      if (code === "OTHERON")
        throw new OtherEventsError(this.#name, safeMessage(error).split(" ").slice(1), types);
      if (code === "FORGOTTEN" || code === "GONE")
        throw new ReactionGoneError(this.#name, code === "FORGOTTEN");
      throw error;
    });
    const [given, delivered, more, stale, last, lost, nowMs] = reply as RawTaken;
    this.#seenMs = nowMs;
    this.#told = number;
    if (count >= 0 && this.#forgotten === forgotten) this.#after = last;
    return {
      given: given.map(([mark, id, entity]) => ({ mark, id, entity })),
      delivered,
      hasMore: more === 1,
      isStale: stale === 1,
      missed: lost
        ? {
            partition: this.partition,
            from: lost[0],
            to: lost[1],
            count: lost[2] === 0 ? undefined : lost[2],
          }
        : undefined,
    };
  }

  /**
   * Counts a try, once however often it is asked.
   *
   * @param call the try's number
   * @param most so many tries there are
   * @returns undefined where it is not this consumer's any more
   */
  async begin({ mark, id, entity }: Assignment, call: number, most: number): Promise<Begun | undefined> {
    const reply = await this.#run("begin", () => [mark, id, entity, String(call), String(most)]);
    if (!Array.isArray(reply)) return undefined;
    const [attempt, text, spent] = reply as [number, string | null, number];
    return { attempt, text: text ?? undefined, isSpent: spent === 1 };
  }

  /**
   * Takes back a try if the event is still this consumer's; once, however often it is asked, and whether the server
   * knows of it by then or not.
   *
   * @param begun the try's number
   */
  async uncount({ mark, id, entity }: Assignment, begun: number): Promise<void> {
    const call = this.nextCall();
    await this.#run("uncount", () => [mark, id, entity, String(begun), String(call)]);
  }

  /**
   * @param begun the try's number
   * @param call the end's number; asked again with it, the answer is the same
   * @param next the event of the same entity that comes then, where one is known
   * @returns false where it was not this consumer's any more
   */
  async finish(
    { mark, id, entity }: Assignment,
    begun: number,
    call: number,
    next: Assignment | undefined,
    ending: Ending,
  ): Promise<boolean> {
    const then = next === undefined ? "" : `${next.mark}${next.id}`;
    const dead = ending.how === "dead" ? [ending.error, ending.text] : [];
    const words = [mark, id, entity, String(begun), String(call), then, ending.how, ...dead];
    return (await this.#run("finish", () => words)) === "OK";
  }

  /** Whether an event is still this consumer's. */
  async owns({ mark, id }: Assignment): Promise<boolean> {
    const key = mark === "e" ? this.keys.events : this.keys.dead;
    const rows = await this.#ask("asking", (client) => client.xpending(key, this.#name, id, id, 1)).catch(
      (error: unknown) => {
        if (replyCode(error) === "NOGROUP") return [];
        throw error;
      },
    );
    return (rows as [id: string, consumer: string][])[0]?.[1] === this.#consumer;
  }

  /** Leaves what it has to the others, at once. */
  async leave(): Promise<void> {
    await this.#ask("leaving", (client) => client.zrem(this.keys.seen, this.#consumer));
  }

  /** @param words what the script is given besides, for each attempt */
  async #run(script: keyof typeof reactionScripts, words: () => readonly string[]): Promise<unknown> {
    const { events, dead, held, seen, rules } = this.keys;
    return this.#ask(script, (client) =>
      runScript(
        client,
        reactionScripts[script],
        [events, dead, held, seen, rules],
        [this.#name, this.#consumer, ...words()],
      ),
    );
  }

  async #ask<T>(what: string, question: (client: Valkey) => Promise<T>): Promise<T> {
    const connection = this.#connection;
    const deadline = Deadline.in(connection.timeoutMs);
    return retry(connection, deadline, `${what} of reaction ${this.#name}`, () =>
      question(connection.client),
    );
  }
}

type RawTaken = [
  given: [mark: "e" | "d", id: string, entity: string][],
  delivered: string,
  more: number,
  stale: number,
  after: string,
  lost: [from: string, to: string, count: number] | null,
  nowMs: number,
];

/** Makes a group on a stream, where there is none of that name. */
export async function createGroup(client: Valkey, key: string, name: string, from: string): Promise<void> {
  try {
    await client.xgroup("CREATE", key, name, from, "MKSTREAM");
  } catch (error) {
    if (replyCode(error) !== "BUSYGROUP") throw error;
  }
}
