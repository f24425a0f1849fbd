import { createCall, patchCall, removeCall, restoreCall, transitionCall } from "../../changes/call.js";
import type {
  CreateOptions,
  PatchOptions,
  RemoveOptions,
  RestoreOptions,
  TransitionOptions,
} from "../../changes/options.js";
import { timeoutMs } from "../../changes/options.js";
import type { Result } from "../../changes/result.js";
import { checkId, refuse } from "../../contract/arguments.js";
import type { Change, Snapshot } from "../../contract/document.js";
import type { Fields } from "../../contract/own-fields.js";
import { Entities } from "../../entities.js";
import type { EventLog, EventsOptions } from "../../events/log.js";
import {
  checkSubscribe,
  type Listener,
  type SubscribeOptions,
  type Subscription,
} from "../../events/subscribe.js";
import {
  guardWords,
  type HeartbeatOptions,
  type HeartbeatResult,
  readHeartbeat,
} from "../../leases/heartbeat.js";
import { type Hold, type HoldOptions, hold } from "../../leases/hold.js";
import type { LeaseSource } from "../../leases/lease-source.js";
import { type CompiledMachine, stateOf } from "../../machine/compiled.js";
import type { DeadLetters } from "../../reactions/dead-letters.js";
import type { Follower, FollowOptions } from "../../reactions/follow.js";
import type { ForgetOptions, ForgottenReaction } from "../../reactions/forget.js";
import type { Handler } from "../../reactions/handler-settings.js";
import type { PendingEvent } from "../../reactions/pending.js";
import type { Reaction } from "../../reactions/reaction.js";
import { checkReactionName, type ReactOptions } from "../../reactions/settings.js";
import type { ReactionStats } from "../../reactions/stats.js";
import type { HistoryEntry, HistoryOptions } from "../../reads/history.js";
import type { ListOptions, Page, PageOptions } from "../../reads/list.js";
import type { SweepReport } from "../../sweep/report.js";
import type { SweepOptions } from "../../sweep/sweep.js";
import { type EntityReadOptions, limited, type ReadOptions } from "../../valkey/ask.js";
import type { DefaultActor } from "../../valkey/default-actor.js";
import { reportListener } from "../../valkey/failed-listener.js";
import type { MachineStore } from "../../valkey/machine-store.js";
import { type WaitOptions, type WaitTarget, waitFor } from "../../waits/wait-for.js";
import { changeMemory } from "./memory-changes.js";
import { MemoryLog } from "./memory-log.js";
import { MemoryReactions } from "./memory-reactions.js";
import { MemoryReads } from "./memory-reads.js";
import { changeOf, MemoryServer } from "./memory-server.js";
import { memoryStore } from "./memory-store.js";
import { sweepMemory } from "./memory-sweep.js";
import { MemoryWaits } from "./memory-waits.js";

/** Entities in memory. Every method of {@link Entities} is its own, because there is no server. */
export class MemoryEntities extends Entities {
  readonly #store: MachineStore;
  readonly #server: MemoryServer;
  readonly #reads: MemoryReads;
  readonly #reactions: MemoryReactions;
  readonly #waits: MemoryWaits;

  constructor(definition: CompiledMachine, now: () => number, actor?: DefaultActor) {
    const store = memoryStore(definition, actor);
    super(store);
    this.#store = store;
    this.#server = new MemoryServer(definition, now);
    this.#reads = new MemoryReads(this.#server, store);
    this.#reactions = new MemoryReactions(this.#server, store);
    this.#waits = new MemoryWaits(this.#server, definition);
  }

  get #actor(): () => string | undefined {
    return this.#store.connection.actor;
  }

  override async tryCreate(id: string, fields: Fields = {}, options: CreateOptions = {}): Promise<Result> {
    return changeMemory(this.#server, this.#store, createCall(id, fields, options, this.#actor));
  }

  override async tryTransition(id: string, to: string, options: TransitionOptions = {}): Promise<Result> {
    return changeMemory(this.#server, this.#store, transitionCall(id, to, options, this.#actor));
  }

  override async tryPatch(id: string, options: PatchOptions): Promise<Result> {
    return changeMemory(this.#server, this.#store, patchCall(id, options, this.#actor));
  }

  override async tryRemove(id: string, options: RemoveOptions = {}): Promise<Result> {
    return changeMemory(this.#server, this.#store, removeCall(id, options, this.#actor));
  }

  override async tryRestore(id: string, state: string, options: RestoreOptions): Promise<Result> {
    const call = await restoreCall(id, state, options, () => this.#server.nowMs, this.#actor);
    return changeMemory(this.#server, this.#store, call);
  }

  override async position(id: string, options: ReadOptions = {}): Promise<string> {
    return this.#reads.position(id, options);
  }

  override async tryHeartbeat(id: string, options: HeartbeatOptions = {}): Promise<HeartbeatResult> {
    const words = [checkId("id", id, 128), ...guardWords(options)];
    timeoutMs(options, this.#store.connection.timeoutMs); // checks it
    const { notAfter } = options;
    const limit = notAfter === undefined ? [] : ["NOTAFTER", String(notAfter)];
    const reply = this.#server.run("heartbeat", id, ...words.slice(1), ...limit);
    return readHeartbeat(reply, this.definition, id, options);
  }

  override async hold(id: string, options: HoldOptions = {}): Promise<Hold> {
    const { connection, definition } = this.#store;
    const source: LeaseSource = {
      machine: definition.name,
      logger: connection.logger,
      timeoutMs: connection.timeoutMs,
      beforeClose: () => () => {}, // it is never closed
      heartbeat: (entity, limits) => this.tryHeartbeat(entity, limits),
      leaseLength: async (_, state) => {
        return { version: String(definition.version), ms: stateOf(definition, state)?.lease?.for };
      },
      history: (entity) => this.history(entity),
    };
    return hold(source, id, options);
  }

  override async sweep(options: SweepOptions = {}): Promise<SweepReport> {
    return sweepMemory(this.#server, this.name, options);
  }

  override async get(id: string, options: EntityReadOptions = {}): Promise<Snapshot | null> {
    return this.#reads.get(id, options);
  }

  override list(options: ListOptions = {}): AsyncGenerator<Snapshot, void> {
    return this.#reads.list(options);
  }

  override async listPage(options: PageOptions = {}): Promise<Page> {
    return this.#reads.listPage(options);
  }

  override async count(options: EntityReadOptions = {}): Promise<Record<string, number>> {
    return this.#reads.count(options);
  }

  override async history(id: string, options: HistoryOptions | number = {}): Promise<HistoryEntry[]> {
    return this.#reads.history(id, options);
  }

  override events(options: EventsOptions = {}): EventLog<Change> {
    return new MemoryLog(this.#server, this.#store, options);
  }

  override async subscribe(
    listener: Listener<Change>,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    checkSubscribe(listener, options);
    const { logger } = this.#store.connection;
    const unlisten = this.#server.onEvent((event) => {
      void (async () => listener(changeOf(event)))().catch((error: unknown) =>
        reportListener(logger, `on ${this.name}`, error),
      );
    });
    return { close: async () => unlisten() };
  }

  override async waitFor(
    id: string,
    target: WaitTarget<string>,
    options: WaitOptions = {},
  ): Promise<Snapshot> {
    return waitFor(this.#waits, id, target, options);
  }

  override async react(
    name: string,
    handler: Handler<Change>,
    options: ReactOptions = {},
  ): Promise<Reaction> {
    return this.#reactions.react(name, handler, options);
  }

  override async follow(handler: Handler<Change>, options: FollowOptions = {}): Promise<Follower> {
    return this.#reactions.follow(handler, options);
  }

  override async reactions(options: ReadOptions = {}): Promise<ReactionStats[]> {
    limited(this.#store, options).signal?.throwIfAborted();
    return this.#reactions.stats();
  }

  override async forgetReaction(
    name: string,
    options: ForgetOptions = {},
  ): Promise<ForgottenReaction | null> {
    return this.#reactions.forget(name, options);
  }

  override pendingEvents(name: string): AsyncGenerator<PendingEvent, void> {
    checkReactionName(name);
    refuse("fakeEntities does not list pending events; test this with startValkey");
  }

  override deadLetters(name: string, options: ReadOptions = {}): DeadLetters {
    return this.#reactions.deadLetters(name, options);
  }

  /** Settles as soon as reactions and followers have no event that they can handle now. */
  async handled(): Promise<void> {
    await this.#reactions.idle();
  }
}
