import type { Wakeups } from "../events/wakeups.js";
import type { Connection } from "../valkey/connection.js";
import { Deadline } from "../valkey/deadline.js";
import { mayPass, replyCode } from "../valkey/failure.js";
import { hint } from "../valkey/hint.js";
import type { EntityQueues } from "./entity-queues.js";
import type { Batch, ReactionGroup } from "./group.js";
import type { HandlerRuns } from "./handler-runs.js";
import type { ReactionSettings } from "./settings.js";

/** Longest time between two heartbeats. */
const LONGEST_TICK_MS = 1_000;

/** A call of `take` without a reply so far. */
interface Take {
  /** Number of events that it requests. */
  readonly count: number;
  /** Time until which room is kept for these events. A server that is down delays no others for longer. */
  readonly keptUntil: Deadline;
  readonly end: Promise<void>;
}

/** Handles the events that are taken, and wakes the intake. */
export interface IntakeTarget {
  readonly queues: EntityQueues;
  readonly runs: HandlerRuns;
  readonly wakeups: Wakeups;
  readonly stopping: AbortSignal;
}

/**
 * Takes events from the partitions that have some, from all of them at once, as many as there is room for. Sends the
 * heartbeats of this replica to all partitions, which also finds events whose hint was lost.
 */
export class Intake {
  readonly #connection: Connection;
  readonly #settings: ReactionSettings;
  /** One per partition. */
  readonly #groups: readonly ReactionGroup[];
  readonly #target: IntakeTarget;
  /** Partitions that may have events, in the order in which to take from them. */
  readonly #due = new Set<number>();
  /** Partitions whose server does not reply, which was logged. */
  readonly #silent = new Set<number>();
  readonly #takes = new Map<number, Take>();
  /** Partitions whose events may have been reassigned while their handlers still run. */
  readonly #stale = new Set<ReactionGroup>();
  #tick: Deadline;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    connection: Connection,
    groups: readonly ReactionGroup[],
    settings: ReactionSettings,
    target: IntakeTarget,
  ) {
    this.#connection = connection;
    this.#groups = groups;
    this.#settings = settings;
    this.#target = target;
    this.#tick = Deadline.in(0);
  }

  /** Takes events until the reaction stops. @throws the error of a call that no retry can help */
  async run(): Promise<void> {
    while (!this.#isStopped) {
      this.#startTakes();
      await this.#target.wakeups.wait(this.#waitMs);
      if (this.#failure !== undefined && !this.#isStopped) throw this.#failure.error;
    }
    const takes = [...this.#takes].filter(([partition]) => this.#groups[partition]?.isReachable);
    await Promise.all(takes.map(([, { end }]) => end));
  }

  get #isStopped(): boolean {
    return this.#target.stopping.aborted || this.#connection.isClosed;
  }

  #startTakes(): void {
    const { queues, wakeups } = this.#target;
    for (const partition of wakeups.take()) this.#due.add(partition);
    for (const { partition, due } of this.#delayed) {
      if (due?.isOver === true && !this.#takes.has(partition)) this.#due.add(partition);
    }
    const free = [...this.#due].filter((partition) => !this.#takes.has(partition));
    let room = queues.room - this.#requested;
    const share = Math.max(1, Math.floor(room / free.length));
    for (const partition of free.slice(0, Math.max(0, room))) {
      const count = Math.min(share, room);
      room -= count;
      this.#due.delete(partition);
      this.#start(partition, count);
    }
    if (!this.#tick.isOver) return;
    this.#tick = Deadline.in(this.#tickMs);
    for (const partition of this.#groups.keys()) if (!this.#takes.has(partition)) this.#start(partition, 0);
  }

  /** Number of events that may still arrive. */
  get #requested(): number {
    let sum = 0;
    for (const { count, keptUntil } of this.#takes.values()) if (!keptUntil.isOver) sum += count;
    return sum;
  }

  /** Starts to take events. With a count of 0, sends a heartbeat and asks if there are events. */
  #start(partition: number, count: number): void {
    const group = this.#groups[partition];
    if (group === undefined) return;
    const end = this.#take(group, count)
      .catch((error: unknown) => {
        if (this.#isStopped) return;
        if (!mayPass(error)) this.#failure ??= { error };
        else if (!this.#silent.has(partition)) {
          this.#silent.add(partition);
          this.#warn("no reply to take; the events of this partition follow later", {
            partition,
            error: hint(error, this.#connection.of(group.keys.events).place),
          });
        }
      })
      .finally(() => {
        this.#takes.delete(partition);
        this.#target.wakeups.ring();
      });
    this.#takes.set(partition, { count, keptUntil: Deadline.in(this.#tickMs), end });
  }

  async #take(group: ReactionGroup, count: number): Promise<void> {
    const { queues, runs } = this.#target;
    const batch = await this.#batch(group, count);
    this.#silent.delete(group.partition);
    if (batch?.hasMore !== false) this.#due.add(group.partition);
    if (batch === undefined) return;
    for (const delivery of batch.deliveries) queues.add(group, delivery);
    if (batch.missed !== undefined) runs.reportMissed(batch.missed);
    if (batch.isStale) this.#stale.add(group);
    if (!this.#stale.has(group)) return;
    await runs.abortReassigned(group);
    this.#stale.delete(group);
  }

  /** @returns undefined if the group had to be created anew */
  async #batch(group: ReactionGroup, count: number): Promise<Batch | undefined> {
    const { takeOverMs, delayMs, types } = this.#settings;
    if (!group.exists) await group.create(); // its server was unreachable at the start
    try {
      return await group.take({ count, takeOverMs, delayMs, types });
    } catch (error) {
      if (this.#isStopped || replyCode(error) !== "NOGROUP") throw error;
      // The server lost its data. This group has handled nothing that the log holds now.
      this.#warn("the consumer group is gone; creating it anew at the start of the log");
      await this.#connection.of(group.keys.events).verify(); // its machines are lost too
      await group.create("0-0");
      return undefined;
    }
  }

  #warn(message: string, fields: object = {}): void {
    this.#connection.logger.warn({ reaction: this.#settings.name, ...fields }, message);
  }

  get #tickMs(): number {
    const { silenceMs } = this.#connection;
    return Math.max(1, Math.floor(Math.min(LONGEST_TICK_MS, silenceMs / 2, this.#settings.takeOverMs / 3)));
  }

  /** Time until the next heartbeat, or until an event is due. */
  get #waitMs(): number {
    const dues = this.#delayed
      .filter(({ partition }) => !this.#takes.has(partition) && !this.#due.has(partition))
      .flatMap(({ due }) => (due === undefined ? [] : Math.ceil(due.remainingMs)));
    return Math.max(1, Math.min(Math.ceil(this.#tick.remainingMs), ...dues));
  }

  /** The partitions, if their events have a delay. */
  get #delayed(): readonly ReactionGroup[] {
    return this.#settings.delayMs > 0 ? this.#groups : [];
  }
}
