import { create, patch, remove, transition } from "./changes/change.js";
import type {
  CreateOptions,
  PatchOptions,
  RemoveOptions,
  RestoreOptions,
  TransitionOptions,
} from "./changes/options.js";
import { restore } from "./changes/restore.js";
import { type Result, unwrap } from "./changes/result.js";
import type { Change, Replay, Snapshot } from "./contract/document.js";
import type { FieldInput, Fields } from "./contract/own-fields.js";
import { Feed } from "./events/feed.js";
import { EventLog, type EventsOptions } from "./events/log.js";
import { type Listener, type SubscribeOptions, type Subscription, subscribe } from "./events/subscribe.js";
import { type HeartbeatOptions, type HeartbeatResult, heartbeat } from "./leases/heartbeat.js";
import { type Hold, type HoldOptions, hold } from "./leases/hold.js";
import { serverLeases } from "./leases/lease-source.js";
import type { CompiledMachine } from "./machine/compiled.js";
import type { EventOf, MachineDefinition, StateOf } from "./machine/definition.js";
import { DeadLetters } from "./reactions/dead-letters.js";
import { type Follower, type FollowOptions, follow } from "./reactions/follow.js";
import { type ForgetOptions, type ForgottenReaction, forget } from "./reactions/forget.js";
import type { Handler } from "./reactions/handler-settings.js";
import { type PendingEvent, pendingEvents } from "./reactions/pending.js";
import { type Reaction, react } from "./reactions/reaction.js";
import type { ReactOptions } from "./reactions/settings.js";
import { type ReactionStats, reactions } from "./reactions/stats.js";
import { count } from "./reads/count.js";
import { get, position } from "./reads/get.js";
import { type HistoryEntry, type HistoryOptions, history } from "./reads/history.js";
import { type ListOptions, list, listPage, type Page, type PageOptions } from "./reads/list.js";
import type { SweepReport } from "./sweep/report.js";
import { type SweepOptions, sweepMachine } from "./sweep/sweep.js";
import { type EntityReadOptions, limited, type ReadOptions } from "./valkey/ask.js";
import type { MachineStore } from "./valkey/machine-store.js";
import { type WaitOptions, type WaitTarget, waitFor } from "./waits/wait-for.js";
import { ServerSource } from "./waits/wait-source.js";

/** Returns the store of entities; undefined for entities that have no server. For other files of the package. */
export let storeOf: (entities: Pick<Entities, "name">) => MachineStore | undefined;

/**
 * The entities of one machine. Returned by `latchkey.machine(…)`.
 *
 * `M` is the type of the machine, `typeof order`, or the union of its state names. `F` has the own fields, stamps included;
 * without it any field is accepted.
 *
 * Each change is one script on the server, applied as a whole or rejected. Changes throw a `RejectedError` (a subclass) if
 * the server rejects them, `ContractError` for an invalid call, `NotExecutedError` if nothing was applied,
 * `OutcomeUnknownError` if that could not be determined in time, `NotDurableError` if too few acknowledgements arrived,
 * and `ClosedError` if latchkey was closed before they were sent. The `try…` methods return rejections as values, and a
 * change with too few acknowledgements as `{ ok: true, durability: { met: false, … } }`. They throw the other errors.
 *
 * @example
 * await agents.create("a1", { taskId: "t1" });
 * await agents.transition("a1", "running", { actor: "replica-3" });
 */
export class Entities<M extends MachineDefinition | string = string, F extends object = Fields> {
  readonly #store: MachineStore;
  readonly #feed: Feed;

  static {
    storeOf = (entities) => (#store in entities ? entities.#store : undefined);
  }

  constructor(store: MachineStore) {
    this.#store = store;
    this.#feed = new Feed(store);
  }

  /** Name of the machine. */
  get name(): string {
    return this.#store.location.machine;
  }

  /** The definition that this client knows. The server's copy decides. */
  get definition(): CompiledMachine {
    return this.#store.definition;
  }

  /** Creates an entity in the initial state. @throws AlreadyExistsError if the ID is in use */
  async create(
    id: string,
    fields: FieldInput<F> = {} as FieldInput<F>,
    options: CreateOptions = {},
  ): Promise<Change<StateOf<M>, F> | Replay<StateOf<M>, F>> {
    return unwrap(await this.tryCreate(id, fields, options));
  }

  /** Like {@link create}, but returns rejections as values. */
  tryCreate(
    id: string,
    fields: FieldInput<F> = {} as FieldInput<F>,
    options: CreateOptions = {},
  ): Promise<Result<StateOf<M>, F>> {
    return create<StateOf<M>, F>(this.#store, id, fields, options);
  }

  /** Moves an entity to another state. @throws IllegalTransitionError if the machine has no such transition */
  async transition(
    id: string,
    to: StateOf<M>,
    options: TransitionOptions<StateOf<M>, F> = {},
  ): Promise<Change<StateOf<M>, F> | Replay<StateOf<M>, F>> {
    return unwrap(await this.tryTransition(id, to, options));
  }

  /** Like {@link transition}, but returns rejections as values. */
  tryTransition(
    id: string,
    to: StateOf<M>,
    options: TransitionOptions<StateOf<M>, F> = {},
  ): Promise<Result<StateOf<M>, F>> {
    return transition<StateOf<M>, F>(this.#store, id, to, options);
  }

  /** Changes own fields; the state and its timers stay. */
  async patch(
    id: string,
    options: PatchOptions<StateOf<M>, F>,
  ): Promise<Change<StateOf<M>, F> | Replay<StateOf<M>, F>> {
    return unwrap(await this.tryPatch(id, options));
  }

  /** Like {@link patch}, but returns rejections as values. */
  tryPatch(id: string, options: PatchOptions<StateOf<M>, F>): Promise<Result<StateOf<M>, F>> {
    return patch<StateOf<M>, F>(this.#store, id, options);
  }

  /** Deletes an entity and its history. The event log keeps its events. */
  async remove(
    id: string,
    options: RemoveOptions<StateOf<M>> = {},
  ): Promise<Change<StateOf<M>, F> | Replay<StateOf<M>, F>> {
    return unwrap(await this.tryRemove(id, options));
  }

  /** Like {@link remove}, but returns rejections as values. */
  tryRemove(id: string, options: RemoveOptions<StateOf<M>> = {}): Promise<Result<StateOf<M>, F>> {
    return remove<StateOf<M>, F>(this.#store, id, options);
  }

  /**
   * Creates an entity in any state, with the version, times and stamps that it had elsewhere: for import, migration and
   * repair. Adds the event `<machine>.restored`. Needs the permission for RESTORE.
   * @throws AlreadyExistsError if the ID is in use
   * @example await agents.restore(id, state, { version, createdAt, since, fields: ownFields(snapshot) });
   */
  async restore(
    id: string,
    state: StateOf<M>,
    options: RestoreOptions<F>,
  ): Promise<Change<StateOf<M>, F> | Replay<StateOf<M>, F>> {
    return unwrap(await this.tryRestore(id, state, options));
  }

  /** Like {@link restore}, but returns rejections as values. */
  tryRestore(id: string, state: StateOf<M>, options: RestoreOptions<F>): Promise<Result<StateOf<M>, F>> {
    return restore<StateOf<M>, F>(this.#store, id, state, options);
  }

  /** Returns a position of the entity's event log, for the option `seen`. Store it with `op` before the first attempt. */
  async position(id: string, options: ReadOptions = {}): Promise<string> {
    return position(this.#store, id, options);
  }

  /**
   * Renews the lease of the entity's current state, for its whole length from now. Makes no event and no new version.
   * @throws ConflictError if `ifVersion` or `ifState` does not match, NoLeaseError if the state has no lease,
   * NotFoundError; LatchkeyError with code UNKNOWN if the reply was lost, so that the lease may be renewed: send it again
   * @example await agents.heartbeat("a1", { ifVersion: agent.version });
   */
  async heartbeat(id: string, options: HeartbeatOptions<StateOf<M>> = {}): Promise<Snapshot<StateOf<M>, F>> {
    const result = await this.tryHeartbeat(id, options);
    if (result.ok) return result.document;
    throw result.error;
  }

  /** Like {@link heartbeat}, but returns rejections as values. */
  async tryHeartbeat(
    id: string,
    options: HeartbeatOptions<StateOf<M>> = {},
  ): Promise<HeartbeatResult<StateOf<M>, F>> {
    return heartbeat<StateOf<M>, F>(this.#store, id, options);
  }

  /**
   * Renews the lease of an entity until the hold or latchkey is closed. If it is lost, `signal` aborts and `onLost` is called.
   * @throws the errors of {@link heartbeat} if the first renewal fails
   * @example
   * const hold = await agents.hold("a1", { version: agent.version });
   * try { await work({ signal: hold.signal }); } finally { await hold.close(); }
   */
  async hold(id: string, options: HoldOptions = {}): Promise<Hold<StateOf<M>, F>> {
    return hold<StateOf<M>, F>(serverLeases<StateOf<M>>(this.#store), id, options);
  }

  /**
   * Fires the expired timers of this machine's entities (timeouts, leases and retention) until `signal` is aborted or
   * latchkey is closed. Run it in every replica: each timer fires once. Damaged data is logged, reported to `onStuck` once,
   * and delays nothing else. Returns the work of this replica.
   *
   * @throws ContractError for an invalid option; NotExecutedError if its client ended without latchkey being closed. With
   * `once` also NotExecutedError if the server does not reply, LatchkeyError with code UNKNOWN if the reply to a timer was
   * lost, so that it may have fired, and ContractError if the machine is not installed
   * @example agents.sweep({ signal: stopping.signal }).catch((error) => logger.fatal(error, "the sweep ended"));
   */
  async sweep(options: SweepOptions = {}): Promise<SweepReport> {
    return sweepMachine(this.#store, options);
  }

  /** Reads one entity; null if it does not exist. */
  async get(id: string, options: EntityReadOptions = {}): Promise<Snapshot<StateOf<M>, F> | null> {
    return get<StateOf<M>, F>(this.#store, id, options);
  }

  /**
   * Lists entities by state, then longest in it first. One that exists and matches all the time is listed exactly once.
   * @example for await (const agent of agents.list({ state: "running", olderThan: "10m" })) …
   */
  list(options: ListOptions<StateOf<M>> = {}): AsyncGenerator<Snapshot<StateOf<M>, F>, void> {
    return list<StateOf<M>, F>(this.#store, options);
  }

  /** Reads one page of {@link list}, for callers that keep a cursor. */
  async listPage(options: PageOptions<StateOf<M>> = {}): Promise<Page<StateOf<M>, F>> {
    return listPage<StateOf<M>, F>(this.#store, options);
  }

  /** Counts entities by state. */
  async count(options: EntityReadOptions = {}): Promise<Record<StateOf<M>, number>> {
    return (await count(limited(this.#store, options, ["reads"]))) as Record<StateOf<M>, number>;
  }

  /** Reads what the newest changes of an entity did, oldest first. A number instead of options is the `limit`. */
  async history(id: string, options: HistoryOptions | number = {}): Promise<HistoryEntry<StateOf<M>>[]> {
    return history<StateOf<M>>(this.#store, id, options);
  }

  /**
   * Reads the event log from a cursor on and follows it, across lost connections of any length.
   *
   * @throws ContractError if an option is invalid, such as a malformed cursor. {@link EventLog} lists what iterating throws.
   * @example
   * const log = agents.events({ after: await loadCursor() });
   * for await (const change of log) { await handle(change); await saveCursor(log.cursor); }
   */
  events(options: EventsOptions = {}): EventLog<Change<StateOf<M>, F>> {
    return new EventLog<Change<StateOf<M>, F>>(this.#store, options);
  }

  /**
   * Calls a listener for changes as they are published: at most once, without a durable cursor. If changes may have been
   * missed, `onMissed` is called; read the entities again then. A listener that throws is reported and called again.
   *
   * @throws ConnectError if no connection is possible within the time limit of a call, or this user lacks the permission;
   * ContractError if the listener or an option is invalid
   * @example const subscription = await agents.subscribe(({ type, id }) => console.log(type, id), { onMissed: reload });
   */
  async subscribe(
    listener: Listener<Change<StateOf<M>, F>>,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    return subscribe(this.#store, listener, options);
  }

  /**
   * Waits until an entity is in one of the states, or satisfies a predicate. It does not poll: it reads the entity once and
   * follows the event log, or the entity's history if the log was trimmed. States that the entity only passes through count,
   * but not those that it left before the call.
   *
   * @returns the entity when it first matched
   * @throws WaitError if the time is up (`"TIMEDOUT"`), the entity does not exist or is removed (`"NOTFOUND"`), it is in
   * another final state (`"FINAL"`), or missed changes cannot be looked up (`"GAP"`); the reason of the signal; the error of
   * the predicate; ClosedError; ConnectError if the server rejects this user; NotExecutedError if it rejects a read
   * @example await agents.waitFor("a1", ["completed", "failed"], { timeout: "10m" });
   * @example await agents.waitFor("a1", ({ progress }) => progress === 1);
   */
  waitFor(
    id: string,
    states: StateOf<M> | readonly StateOf<M>[],
    options?: WaitOptions,
  ): Promise<Snapshot<StateOf<M>, F>>;
  waitFor(
    id: string,
    matches: (entity: Snapshot<StateOf<M>, F>) => boolean,
    options?: WaitOptions,
  ): Promise<Snapshot<StateOf<M>, F>>;
  async waitFor(
    id: string,
    target: WaitTarget<StateOf<M>, F>,
    options: WaitOptions = {},
  ): Promise<Snapshot<StateOf<M>, F>> {
    return waitFor(new ServerSource<StateOf<M>>(this.#store, this.#feed), id, target, options);
  }

  /**
   * Handles events at least once, in any number of replicas that share the work. Events of one entity are handled in order,
   * those of different entities in parallel. If a replica fails, another handles its unfinished events. If the handler
   * throws, the event is retried with backoff and then becomes a dead letter. No event after this call is skipped.
   *
   * @param name name of the reaction, the same in all replicas; each name has its own position in the log
   * @throws NotExecutedError if the server does not reply, ContractError if an option is invalid
   * @example await agents.react("cleanup", ({ id }) => removeFiles(id), { on: ["agent.completed", "agent.failed"] });
   */
  async react(
    name: string,
    handler: Handler<Change<StateOf<M>, F>>,
    options: ReactOptions<EventOf<M>> = {},
  ): Promise<Reaction> {
    return react<StateOf<M>, F>(this.#store, name, handler, options);
  }

  /**
   * Handles every event in this replica, from this call on: for work on the memory of one process, such as a cache. Each
   * replica that follows gets all events, at least once as long as it lives, in order per entity. If the handler throws, it
   * is called again with backoff, until it succeeds. For work that one replica does for all, use {@link react}.
   *
   * @throws NotExecutedError if the server does not reply, ContractError if an option is invalid
   * @example await agents.follow(({ id }) => void cache.delete(id), { onMissed: () => cache.clear() });
   */
  async follow(
    handler: Handler<Change<StateOf<M>, F>>,
    options: FollowOptions<EventOf<M>> = {},
  ): Promise<Follower> {
    return follow<StateOf<M>, F>(this.#store, handler, options);
  }

  /** Reads the progress of all reactions, ordered by name. */
  async reactions(options: ReadOptions = {}): Promise<ReactionStats[]> {
    return reactions(this.#store, options);
  }

  /**
   * Removes all data of a reaction: its position, its assignments and its dead letters. A reaction of the same name starts
   * anew. A replica that returns after it was presumed dead ends: its `closed` rejects.
   *
   * @returns the removed data; null if the reaction does not exist
   * @throws ReactionInUseError if replicas of it are live or, without `force`, if unfinished events or dead letters would be
   * lost (undelivered events do not count); NotExecutedError if the server does not reply: call it again
   * @example await agents.forgetReaction("session-cleanup-2");
   */
  async forgetReaction(name: string, options: ForgetOptions = {}): Promise<ForgottenReaction | null> {
    return forget(this.#store, name, options);
  }

  /**
   * Lists the events of a reaction that are delivered and not finished: which replica handles each, since when, and how
   * often it was attempted. Ends when the signal is aborted; the time limit applies to each request to the server.
   * @throws NotExecutedError if the server does not reply, ContractError if an argument is invalid
   * @example for await (const { entity, status, replica, sinceMs } of agents.pendingEvents("cleanup")) …
   */
  pendingEvents(name: string, options: ReadOptions = {}): AsyncGenerator<PendingEvent, void> {
    return pendingEvents(this.#store, name, options);
  }

  /** Returns the dead letters of a reaction, to list, retry or drop. The options apply to each request to the server. */
  deadLetters(name: string, options: ReadOptions = {}): DeadLetters {
    return new DeadLetters(this.#store, name, options);
  }
}

/**
 * The entities of a machine with own fields of type `F`; the same as {@link Entities}.
 *
 * @example
 * interface OrderFields { customer: string; paidAt?: string }
 * const orders: EntitiesOf<typeof order, OrderFields> = await latchkey.machine(order);
 */
export type EntitiesOf<M extends MachineDefinition | string, F extends object = Fields> = Entities<M, F>;
