import { checkFlag, checkList, checkOptions } from "../../contract/arguments.js";
import { ReactionInUseError } from "../../errors/reaction-in-use-error.js";
import { type DeadLetter, DeadLetters } from "../../reactions/dead-letters.js";
import { endError } from "../../reactions/end.js";
import { checkKnownTypes, eventTypes } from "../../reactions/event-types.js";
import { type Follower, type FollowOptions, readFollowSettings } from "../../reactions/follow.js";
import type { ForgetOptions, ForgottenReaction } from "../../reactions/forget.js";
import type { HandlerSettings } from "../../reactions/handler-settings.js";
import type { Reaction } from "../../reactions/reaction.js";
import { checkReactionName, type ReactOptions, readSettings } from "../../reactions/settings.js";
import type { ReactionStats } from "../../reactions/stats.js";
import type { ReadOptions } from "../../valkey/ask.js";
import type { MachineStore } from "../../valkey/machine-store.js";
import { MemoryReaction } from "./memory-reaction.js";
import type { MemoryServer } from "./memory-server.js";

/** The reactions and followers of entities in memory. Retries have no delay. */
export class MemoryReactions {
  readonly #server: MemoryServer;
  readonly #store: MachineStore;
  readonly #reactions = new Map<string, MemoryReaction>();
  readonly #followers = new Set<MemoryReaction>();

  constructor(server: MemoryServer, store: MachineStore) {
    this.#server = server;
    this.#store = store;
  }

  async react(name: string, handler: HandlerSettings["handle"], options: ReactOptions): Promise<Reaction> {
    this.#checkTypes(options.on);
    const settings = await readSettings(this.#store, name, handler, options);
    const from = settings.from === "start" ? 0 : this.#server.events.length;
    const reaction = this.#reactions.get(name) ?? new MemoryReaction(this.#server, from);
    const isOther = reaction.members.size > 0 && reaction.types.join(" ") !== settings.types.join(" ");
    const problem = isOther
      ? endError(new Error(["OTHERON", ...reaction.types].join(" ")), name, settings.types)
      : undefined;
    if (problem !== undefined) throw problem;
    this.#reactions.set(name, reaction);
    return reaction.join(settings);
  }

  async follow(handler: HandlerSettings["handle"], options: FollowOptions): Promise<Follower> {
    this.#checkTypes(options.on);
    const settings = await readFollowSettings(this.#store, handler, options);
    const follower = new MemoryReaction(this.#server, this.#server.events.length);
    this.#followers.add(follower);
    return follower.join({ ...settings, name: "", delayMs: 0, deadLetterAfter: Number.POSITIVE_INFINITY });
  }

  /** Lists the progress of all reactions, by name. */
  stats(): ReactionStats[] {
    const { nowMs, events } = this.#server;
    const names = [...this.#reactions.keys()].sort();
    return names.flatMap((name) => {
      const reaction = this.#reactions.get(name);
      if (reaction === undefined) return [];
      const times = reaction.pending.map(({ position }) => Number(position.split("-")[0]));
      const oldestPendingMs = times.length === 0 ? undefined : Math.max(0, nowMs - Math.min(...times));
      const { size: consumers } = reaction.members;
      const lastSeenMs = consumers === 0 ? undefined : 0;
      const lag = events.length - reaction.delivered;
      const { length: pending } = reaction.pending;
      const { length: deadLetters } = reaction.letters;
      return [{ name, lag, pending, oldestPendingMs, consumers, lastSeenMs, deadLetters }];
    });
  }

  forget(name: string, options: ForgetOptions): ForgottenReaction | null {
    checkReactionName(name);
    checkOptions(options, ["force"]);
    const { force = false } = options;
    checkFlag("force", force);
    const stats = this.stats().find((one) => one.name === name);
    if (stats === undefined) return null;
    const { lag, pending, deadLetters, consumers } = stats;
    const isUnfinished = pending + deadLetters > 0;
    if (consumers > 0 || (isUnfinished && !force))
      throw new ReactionInUseError(this.#store.definition.name, name, { ...stats, living: consumers });
    this.#reactions.get(name)?.end();
    this.#reactions.delete(name);
    return { name, lag, pending, deadLetters, consumers };
  }

  deadLetters(name: string, options: ReadOptions): DeadLetters {
    return new MemoryDeadLetters(this.#store, name, options, () => this.#reactions.get(name));
  }

  /** Settles as soon as no event can be handled now. */
  async idle(): Promise<void> {
    for (const reaction of [...this.#reactions.values(), ...this.#followers]) await reaction.idle();
  }

  #checkTypes(on: unknown): void {
    const { definition } = this.#store;
    if (Array.isArray(on)) checkKnownTypes(definition.name, on, eventTypes(definition));
  }
}

/** The dead letters of a reaction in memory. */
class MemoryDeadLetters extends DeadLetters {
  readonly #find: () => MemoryReaction | undefined;
  readonly #signal: AbortSignal | undefined;

  constructor(
    store: MachineStore,
    name: string,
    options: ReadOptions,
    find: () => MemoryReaction | undefined,
  ) {
    super(store, name, options);
    this.#find = find;
    this.#signal = options.signal;
  }

  override async *[Symbol.asyncIterator](): AsyncGenerator<DeadLetter, void> {
    for (const { event, ...letter } of [...(this.#find()?.letters ?? [])]) {
      if (this.#signal?.aborted) return;
      yield { ...letter, id: `0:${event.position}`, text: event.text };
    }
  }

  override async retry(ids: readonly string[]): Promise<string[]> {
    return this.#each(ids, (reaction, letter) => {
      if (!letter.isRetried) reaction.retry(letter);
    });
  }

  override async drop(ids: readonly string[]): Promise<string[]> {
    return this.#each(ids, ({ letters }, letter) => void letters.splice(letters.indexOf(letter), 1));
  }

  #each(
    ids: readonly string[],
    work: (reaction: MemoryReaction, letter: MemoryReaction["letters"][number]) => void,
  ): string[] {
    checkList("ids", ids);
    const reaction = this.#find();
    return ids.filter((id) => {
      const letter = reaction?.letters.find(({ event }) => `0:${event.position}` === id);
      if (reaction === undefined || letter === undefined) return false;
      work(reaction, letter);
      return true;
    });
  }
}
