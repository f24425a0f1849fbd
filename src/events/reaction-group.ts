import type { Valkey } from "iovalkey";
import { reactionScripts } from "../lua/reactions.js";
import type { Connection } from "../valkey/connection.js";
import { Deadline } from "../valkey/deadline.js";
import { replyCode, safeMessage } from "../valkey/failure.js";
import { type Place, type ReactionKeys, reactionKeys } from "../valkey/keys.js";
import { retry } from "../valkey/retry.js";
import { runScript } from "../valkey/script.js";
import { FORGOTTEN_KEPT_MS } from "./forget-reaction.js";
import { OtherEventsError, ReactionGoneError } from "./reaction-ended.js";

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
  /** This replica counted as dead: others may have taken its events over. */
  readonly isStale: boolean;
  /** The last event that is known to be this replica's. */
  readonly after: string;
  readonly missed: MissedEvents | undefined;
}

/** An event, and which try this is. */
export interface Begun {
  readonly attempt: number;
  readonly text: string;
}

/** What to look for. */
export interface Taking {
  readonly count: number;
  readonly after: string;
  readonly takeOverMs: number;
  /** Sorted. */
  readonly types: readonly string[];
}

/** One partition's share of a reaction, as one consumer sees it. Every call tries again while that may help. */
export class ReactionGroup {
  readonly partition: number;
  readonly keys: ReactionKeys;
  readonly #connection: Connection;
  readonly #name: string;
  readonly #consumer: string;
  /** Server time in ms of the last answer to `take`; undefined before the first. */
  #seenMs: number | undefined;

  constructor(connection: Connection, place: Place, partition: number, name: string, consumer: string) {
    this.partition = partition;
    this.keys = reactionKeys(place, partition, name);
    this.#connection = connection;
    this.#name = name;
    this.#consumer = consumer;
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
  async join({ after, takeOverMs, types }: Omit<Taking, "count">): Promise<void> {
    await this.take({ count: -1, after, takeOverMs, types });
  }

  /** @throws OtherEventsError where other replicas want other events, ReactionGoneError where it was forgotten */
  async take({ count, after, takeOverMs, types }: Taking): Promise<Taken> {
    const known = this.#seenMs === undefined ? 0 : this.#seenMs + FORGOTTEN_KEPT_MS;
    const words = [String(count), after, String(takeOverMs), String(known), ...types];
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
    return {
      given: given.map(([mark, id, entity]) => ({ mark, id, entity })),
      delivered,
      hasMore: more === 1,
      isStale: stale === 1,
      after: last,
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

  /** @returns undefined where it is not this consumer's any more */
  async begin({ mark, id, entity }: Assignment): Promise<Begun | undefined> {
    const reply = await this.#run("begin", [mark, id, entity]);
    if (!Array.isArray(reply)) return undefined;
    const [attempt, text] = reply as [number, string];
    return { attempt, text };
  }

  /** Takes back a try that `begin` counted, if the event is still this consumer's; once, however often it is asked. */
  async uncount({ mark, id, entity }: Assignment, attempt: number): Promise<void> {
    await this.#run("uncount", [mark, id, entity, String(attempt)]);
  }

  /**
   * @param dead the error's text and the event, where it is given up
   * @returns false where it was not this consumer's any more
   */
  async finish({ mark, id, entity }: Assignment, dead: readonly string[] = []): Promise<boolean> {
    return (await this.#run("finish", [mark, id, entity, ...dead])) === "OK";
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

  async #run(script: keyof typeof reactionScripts, words: readonly string[]): Promise<unknown> {
    const { events, dead, held, seen, rules } = this.keys;
    const args = [this.#name, this.#consumer, ...words];
    return this.#ask(script, (client) =>
      runScript(client, reactionScripts[script], [events, dead, held, seen, rules], args),
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
