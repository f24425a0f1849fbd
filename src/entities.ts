import { create } from "./changes/create.js";
import type { CreateOptions, PatchOptions, RemoveOptions, TransitionOptions } from "./changes/options.js";
import { patch } from "./changes/patch.js";
import { remove } from "./changes/remove.js";
import { type Result, unwrap } from "./changes/result.js";
import { transition } from "./changes/transition.js";
import type { Change, Replay, Snapshot } from "./contract/document.js";
import { Feed } from "./events/feed.js";
import { EventLog, type EventsOptions } from "./events/log.js";
import { type Listener, type SubscribeOptions, type Subscription, subscribe } from "./events/subscribe.js";
import { hold } from "./leases/begin-hold.js";
import { type HeartbeatOptions, type HeartbeatResult, heartbeat } from "./leases/heartbeat.js";
import type { Hold, HoldOptions } from "./leases/hold.js";
import type { CompiledMachine } from "./machine/compiled.js";
import type { JsonValue } from "./machine/json-value.js";
import { DeadLetters } from "./reactions/dead-letters.js";
import { type ForgetOptions, type ForgottenReaction, forget } from "./reactions/forget.js";
import { type Reaction, react } from "./reactions/reaction.js";
import type { Handler, ReactOptions } from "./reactions/settings.js";
import { type ReactionStats, reactionStats } from "./reactions/stats.js";
import { count } from "./reads/count.js";
import { get, history } from "./reads/get.js";
import { type ListOptions, list, listPage, type Page, type PageOptions } from "./reads/list.js";
import type { SweepReport } from "./sweep/report.js";
import { type SweepOptions, sweepMachine } from "./sweep/sweep.js";
import { ask } from "./valkey/ask.js";
import type { MachineStore } from "./valkey/machine-store.js";
import { type WaitOptions, type WaitTarget, waitFor } from "./waits/wait-for.js";

/** First own fields of an entity. */
export type Fields = Readonly<Record<string, JsonValue>>;

/**
 * The entities of one machine. Every change is one script on the server: done as a whole, or refused with the entity
 * as it is now. Made by `latchkey.machine(…)`.
 *
 * All changes throw a `RejectedError` (one of its kinds) when the server refuses, `ContractError` for malformed calls,
 * `NotExecutedError` when nothing was done nor will be, `OutcomeUnknownError` when it could not be found out in time whether
 * it was, `NotDurableError` when fewer copies were acknowledged than asked for. The `try…` forms return
 * refusals as values and throw the rest.
 *
 * @example
 * await agents.create("a1", { taskId: "t1" });
 * await agents.transition("a1", "running", { actor: "replica-3" });
 */
export class Entities<S extends string = string> {
  readonly #store: MachineStore;
  readonly #feed: Feed;

  constructor(store: MachineStore) {
    this.#store = store;
    this.#feed = new Feed(store);
  }

  /** The machine's name. */
  get name(): string {
    return this.#store.location.machine;
  }

  /** The definition as this client knows it; the server's copy is what judges. */
  get definition(): CompiledMachine {
    return this.#store.definition;
  }

  /** Brings an entity into being in the initial state. @throws AlreadyExistsError when the id is taken. */
  async create(id: string, fields: Fields = {}, options: CreateOptions = {}): Promise<Change<S> | Replay<S>> {
    return unwrap(await this.tryCreate(id, fields, options));
  }

  /** {@link create}, with refusals as values. */
  async tryCreate(id: string, fields: Fields = {}, options: CreateOptions = {}): Promise<Result<S>> {
    return create<S>(this.#store, id, fields, options);
  }

  /** Moves an entity to a state. @throws IllegalTransitionError when its machine has no such transition. */
  async transition(id: string, to: S, options: TransitionOptions<S> = {}): Promise<Change<S> | Replay<S>> {
    return unwrap(await this.tryTransition(id, to, options));
  }

  /** {@link transition}, with refusals as values. */
  async tryTransition(id: string, to: S, options: TransitionOptions<S> = {}): Promise<Result<S>> {
    return transition<S>(this.#store, id, to, options);
  }

  /** Changes own fields only. */
  async patch(id: string, options: PatchOptions<S>): Promise<Change<S> | Replay<S>> {
    return unwrap(await this.tryPatch(id, options));
  }

  /** {@link patch}, with refusals as values. */
  async tryPatch(id: string, options: PatchOptions<S>): Promise<Result<S>> {
    return patch<S>(this.#store, id, options);
  }

  /** Deletes an entity; the event log keeps what happened to it. */
  async remove(id: string, options: RemoveOptions<S> = {}): Promise<Change<S> | Replay<S>> {
    return unwrap(await this.tryRemove(id, options));
  }

  /** {@link remove}, with refusals as values. */
  async tryRemove(id: string, options: RemoveOptions<S> = {}): Promise<Result<S>> {
    return remove<S>(this.#store, id, options);
  }

  /**
   * Renews the lease of the state that an entity is in: it ends its whole length from now. No change, no event. With
   * `ifVersion`, whoever has lost the entity to another is told so.
   *
   * @throws ConflictError when `ifVersion` or `ifState` does not hold, NoLeaseError when the state has no lease,
   * NotFoundError; LatchkeyError with code UNKNOWN when the answer was lost until its time was up: the lease may have been
   * renewed, and will not be any more. Send it again.
   * @example await agents.heartbeat("a1", { ifVersion: agent.version });
   */
  async heartbeat(id: string, options: HeartbeatOptions<S> = {}): Promise<Snapshot<S>> {
    const result = await this.tryHeartbeat(id, options);
    if (result.ok) return result.document;
    throw result.error;
  }

  /** {@link heartbeat}, with refusals as values. */
  async tryHeartbeat(id: string, options: HeartbeatOptions<S> = {}): Promise<HeartbeatResult<S>> {
    return heartbeat<S>(this.#store, id, options);
  }

  /**
   * Renews the lease of an entity by itself, at a third of its length, until it is closed, or latchkey is. Tells the moment
   * that it is lost, by `onLost` and by `signal`.
   *
   * @throws what {@link heartbeat} throws, where there is nothing to hold.
   * @example
   * const hold = await agents.hold("a1", { version: agent.version });
   * try { await work({ signal: hold.signal }); } finally { await hold.close(); }
   */
  async hold(id: string, options: HoldOptions = {}): Promise<Hold<S>> {
    return hold<S>(this.#store, id, options);
  }

  /**
   * Fires the expired timers of this machine's entities (timeouts, leases and retention) until `signal` is aborted or
   * latchkey is closed. Run it in every replica: each timer fires once.
   *
   * Damaged data cannot fire. It is logged, reported to `onStuck` once, and delays nothing else.
   *
   * @returns what this replica did
   * @throws ContractError for an invalid option, and NotExecutedError if its client has ended without latchkey being
   * closed. With `once` also NotExecutedError if the server does not answer, and ContractError if the machine is not
   * installed.
   * @example agents.sweep({ signal: stopping.signal }).catch((error) => logger.fatal(error, "the sweep ended"));
   */
  async sweep(options: SweepOptions = {}): Promise<SweepReport> {
    return sweepMachine(this.#store.connection, this.#store.location, options);
  }

  /** Reads one entity; null where there is none. */
  async get(id: string): Promise<Snapshot<S> | null> {
    return get<S>(this.#store, id);
  }

  /**
   * Lists entities: by state, then longest in it first. Each entity that is there all the while comes exactly once.
   *
   * @example for await (const agent of agents.list({ state: "running", olderThan: "10m" })) …
   */
  list(options: ListOptions<S> = {}): AsyncGenerator<Snapshot<S>, void> {
    return list<S>(this.#store, options);
  }

  /** Reads one page of such a list, for callers that keep a cursor. */
  async listPage(options: PageOptions<S> = {}): Promise<Page<S>> {
    return listPage<S>(this.#store, options);
  }

  /** Counts entities by state. */
  async count(): Promise<Record<S, number>> {
    return (await count(this.#store)) as Record<S, number>;
  }

  /** Reads an entity's last changes, oldest first; at most `limit` of the newest. */
  async history(id: string, limit?: number): Promise<Change<S>[]> {
    return history<S>(this.#store, id, limit);
  }

  /**
   * The durable log of all changes, read from a cursor on, and followed over lost connections for as long as it takes.
   *
   * @throws ContractError if an option is invalid, such as a malformed cursor. {@link EventLog} lists what iterating throws.
   * @example
   * const log = agents.events({ after: await loadCursor() });
   * for await (const change of log) { await handle(change); await saveCursor(log.cursor); }
   */
  events(options: EventsOptions = {}): EventLog<Change<S>> {
    return new EventLog<Change<S>>(this.#store, options);
  }

  /**
   * Hears changes as they are published: a cheap hint, at most once. A listener that fails is reported (logged, or a
   * process warning where there is no logger), and hears the next change all the same.
   *
   * `onMissed` is called when some may have been missed, and it listens again: read then what you need to know.
   *
   * @throws ConnectError when no connection can be made within the time of a call, or this user may not listen;
   * ContractError for a listener or options that can't be.
   * @example const subscription = await agents.subscribe(({ type, id }) => console.log(type, id), { onMissed: reload });
   */
  async subscribe(listener: Listener<Change<S>>, options: SubscribeOptions = {}): Promise<Subscription> {
    return subscribe(this.#store, listener, options);
  }

  /**
   * Waits until an entity is in a state, in one of several, or satisfies a predicate. Asks nothing over and over: it
   * reads the entity once and follows the event log, over one connection however many wait. States that the entity only
   * passes through count too. While the server is away it waits for it: `timeout` is its one limit.
   *
   * @returns the entity as it was when it first was as wanted
   * @throws WaitError when the time is up (`"TIMEDOUT"`), there is no such entity or it is removed (`"NOTFOUND"`), or it
   * is in another state that is final (`"FINAL"`); the signal's reason; what the predicate throws, ContractError if it
   * answers with a promise; ConnectError when latchkey is closed, or the server turns this user away; NotExecutedError
   * when the server refuses to tell.
   * @example
   * const done = await agents.waitFor("a1", ["completed", "failed"], { timeout: "10m" });
   * await agents.waitFor("a1", ({ progress }) => progress === 1);
   */
  waitFor(id: string, states: S | readonly S[], options?: WaitOptions): Promise<Snapshot<S>>;
  waitFor(id: string, matches: (entity: Snapshot<S>) => boolean, options?: WaitOptions): Promise<Snapshot<S>>;
  async waitFor(id: string, target: WaitTarget<S>, options: WaitOptions = {}): Promise<Snapshot<S>> {
    return waitFor(this.#store, this.#feed, id, target, options);
  }

  /**
   * Handles each of the events at least once, in any number of replicas that share the work: those of one entity one
   * after the other in their order, those of different entities at once. What a replica leaves unfinished, another takes
   * over. Where the handler fails, the event is tried again after a pause, and then given up as a dead letter. From when
   * this returns on no event is left out.
   *
   * @param name the same in all replicas; each name has its own location in the log
   * @throws NotExecutedError when the server can't be asked, ContractError for options that can't be.
   * @example
   * const cleanup = await agents.react("cleanup", ({ id }, { signal }) => removeFiles(id, signal), {
   *   on: ["agent.completed", "agent.failed", "agent.killed"],
   * });
   */
  async react(name: string, handler: Handler<Change<S>>, options: ReactOptions = {}): Promise<Reaction> {
    return react<S>(this.#store, name, handler, options);
  }

  /** How far each reaction has come that was ever started, by name. */
  async reactions(): Promise<ReactionStats[]> {
    const { connection, location } = this.#store;
    return ask(connection, `reactions of ${location.machine}`, (client) => reactionStats(client, location));
  }

  /**
   * Removes all that the server keeps of a reaction: how far it has come, who handles what, its dead letters. A reaction
   * of the same name begins anew, as one that nobody has started before. A replica that comes back later, after it was
   * taken for dead, ends: its `closed` is rejected.
   *
   * @returns what was removed; null where there is nothing of it, such as where it was forgotten before
   * @throws ReactionInUseError while replicas of it live, and, without `force`, where events or dead letters would be
   * thrown away; changes in the log that no replica was given (its lag) are none of those. NotExecutedError when the
   * server can't be asked: call it again.
   * @example await agents.forgetReaction("session-cleanup-2");
   */
  async forgetReaction(name: string, options: ForgetOptions = {}): Promise<ForgottenReaction | null> {
    return forget(this.#store, name, options);
  }

  /** What a reaction gave up: to look at, retry or drop. */
  deadLetters(name: string): DeadLetters {
    return new DeadLetters(this.#store, name);
  }
}
