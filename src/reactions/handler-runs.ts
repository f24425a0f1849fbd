import { type Change, parseChange } from "../contract/document.js";
import { storableText } from "../contract/storable-text.js";
import { LatchkeyError } from "../errors/latchkey-error.js";
import { backoffMs } from "../valkey/backoff.js";
import type { Connection } from "../valkey/connection.js";
import { Deadline } from "../valkey/deadline.js";
import { callListener } from "../valkey/failed-listener.js";
import { mayPass, replyCode, safeMessage } from "../valkey/failure.js";
import { sha1 } from "../valkey/stream.js";
import type { AttemptStart, Delivery, Ending, ReactionGroup } from "./group.js";
import { callHandler, IGNORED_SIGNAL, isTimedOut } from "./handler-call.js";
import type { MissedEvents, ReactionSettings } from "./settings.js";

/** One attempt to handle an event. */
interface Run {
  readonly group: ReactionGroup;
  readonly delivery: Delivery;
  /** Number of the attempt's `begin`. */
  readonly call: number;
  readonly abort: AbortController;
  readonly wait: WaitAway;
}

/** Waits for a reply of a server that is unreachable. Meanwhile other events are handled. */
export type WaitAway = <T>(reply: Promise<T>) => Promise<T>;

/** Time after which an event of an unreachable server lets others go first, in ms. */
const PATIENCE_MS = 500;
const LONGEST_ERROR_TEXT = 1_000;
const UNKNOWN_RESULT =
  "all attempts are used, and the result of the last one is unknown: its process crashed, counted as dead, or left";

/** Runs the handler of a reaction for one event after the other, and records the results on the server. */
export class HandlerRuns {
  readonly #connection: Connection;
  readonly #settings: ReactionSettings;
  readonly #stopping: AbortSignal;
  /** Runs whose handler is running. */
  readonly #running = new Set<Run>();
  /** Calls that count an attempt or take it back, without a reply so far. */
  readonly #counting = new Set<Promise<unknown>>();

  constructor(connection: Connection, settings: ReactionSettings, stopping: AbortSignal) {
    this.#connection = connection;
    this.#settings = settings;
    this.#stopping = stopping;
  }

  /**
   * Makes one attempt to handle an event.
   *
   * @param isAlone true if no other attempt runs in this replica until this one has ended
   * @param wait used while the event's server is unreachable
   * @returns the entity's next event, undefined without one; `"reassigned"` if the event now belongs to another
   *   replica; or the delay in ms before the retry
   */
  async run(
    group: ReactionGroup,
    delivery: Delivery,
    isAlone: boolean,
    wait: WaitAway,
  ): Promise<Delivery | undefined | "reassigned" | number> {
    if (this.#stopping.aborted) return 0;
    const run: Run = { group, delivery, call: group.nextCall(), abort: new AbortController(), wait };
    const begun = await this.#track(this.#begin(run, isAlone));
    if (begun === undefined) return "reassigned";
    const { attempt, text, left } = begun;
    if (text === undefined) return this.#finish(run, { how: "lost" });
    const { firstDelayMs, longestDelayMs } = this.#settings;
    const change = parseChange(this.#settings.machine, text);
    if (typeof change === "string")
      return this.#bury(run, attempt, text, `unreadable entry ${delivery.id}: ${change}`);
    const error = left < 0 ? UNKNOWN_RESULT : await this.#handle(run, attempt, change);
    if (error === undefined) return this.#finish(run, { how: "done" }, text);
    // A handler that was aborted for another reason has not failed. If the event was reassigned, the new owner counts.
    if (run.abort.signal.aborted && !isTimedOut(run.abort.signal)) return "reassigned";
    if (left <= 0) return this.#bury(run, attempt, text, error);
    this.#log("warn", delivery, { attempt, error }, "a handler failed");
    const number = group.nextCall();
    const fail = () => group.pause(delivery, run.call, number, "failed");
    const isOurs = await this.#retry(run, "pause", fail, false);
    return isOurs ? backoffMs(attempt - 1, firstDelayMs, longestDelayMs) : "reassigned";
  }

  /** Logs events that were trimmed from the log before they were handled, and calls `onMissed`. */
  reportMissed(missed: MissedEvents): void {
    const { name, onMissed } = this.#settings;
    const { logger } = this.#connection;
    logger.error({ reaction: name, ...missed }, "events were trimmed from the log before they were handled");
    callListener(logger, `for a gap in reaction ${name}`, onMissed, missed);
  }

  /** Aborts the handlers of a partition's events that were reassigned while this replica counted as dead. */
  async abortReassigned(group: ReactionGroup): Promise<void> {
    for (const { delivery, abort } of [...this.#running].filter((run) => run.group === group)) {
      if (!(await group.owns(delivery)))
        abort.abort(new LatchkeyError("REASSIGNED", "the event was reassigned to another replica"));
    }
  }

  /** Aborts all running handlers. Their attempts do not count, because the handlers did not fail. */
  abortAll(reason: unknown): void {
    for (const run of this.#running) {
      if (run.abort.signal.aborted) continue;
      void this.#uncount(run);
      run.abort.abort(reason);
    }
  }

  /** Settles as soon as the server knows which attempts count. */
  async counted(): Promise<void> {
    while (this.#counting.size > 0) await Promise.allSettled(this.#counting);
  }

  /** Begins an attempt. If the reaction stops in the meantime, the handler is not called and the attempt does not count. */
  async #begin(run: Run, isAlone: boolean): Promise<AttemptStart | undefined> {
    const { group, delivery, call } = run;
    const { deadLetterAfter } = this.#settings;
    try {
      const begin = () => group.begin(delivery, call, deadLetterAfter, isAlone);
      const begun = await this.#retry(run, "begin", begin, undefined);
      if (begun === undefined || !this.#stopping.aborted) return begun;
    } catch (error) {
      if (this.#stopping.aborted) await this.#uncount(run);
      throw error;
    }
    await this.#uncount(run);
    return undefined;
  }

  /** @returns the handler's error, undefined if it succeeded */
  async #handle(run: Run, attempt: number, change: Change): Promise<string | undefined> {
    const { delivery, abort } = run;
    const onIgnored = () => this.#log("error", delivery, { attempt }, IGNORED_SIGNAL);
    this.#running.add(run);
    try {
      return await callHandler(this.#settings, { change, attempt, abort, onIgnored });
    } finally {
      this.#running.delete(run);
    }
  }

  async #bury(
    run: Run,
    attempt: number,
    text: string,
    error: string,
  ): Promise<Delivery | undefined | "reassigned"> {
    this.#log("error", run.delivery, { attempt, error }, "an event became a dead letter");
    return this.#finish(
      run,
      { how: "dead", error: storableText(error, LONGEST_ERROR_TEXT, true), text },
      text,
    );
  }

  async #finish(run: Run, ending: Ending, text?: string): Promise<Delivery | undefined | "reassigned"> {
    const { group, delivery, call } = run;
    const digest = text === undefined ? "" : sha1(text);
    const number = group.nextCall();
    const finish = () => group.finish(delivery, call, number, ending, digest);
    const next = await this.#retry(run, "finish", finish, undefined);
    if (next !== undefined) return next ?? undefined;
    this.#log("warn", delivery, {}, "an event was reassigned to another replica while it was handled");
    return "reassigned";
  }

  /** Takes back an attempt. It counts if the server cannot be reached. */
  async #uncount({ group, delivery, call }: Run): Promise<void> {
    try {
      await this.#track(group.pause(delivery, call, group.nextCall(), "stopped"));
    } catch (error) {
      if (replyCode(error) === "NOGROUP") return; // the attempt is gone together with the group
      this.#log(
        "warn",
        delivery,
        { error: safeMessage(error) },
        "an attempt counts although it was interrupted",
      );
    }
  }

  async #track<T>(call: Promise<T>): Promise<T> {
    this.#counting.add(call);
    try {
      return await call;
    } finally {
      this.#counting.delete(call);
    }
  }

  /** Retries a call until it has a reply; while the reaction stops, only within the time limit of one call. */
  async #retry<T>(run: Run, what: string, call: () => Promise<T>, gone: T): Promise<T> {
    for (;;) {
      try {
        return await this.#patient(run, call());
      } catch (error) {
        if (replyCode(error) === "NOGROUP") return gone; // the event is gone together with the group
        if (!mayPass(error) || this.#connection.isClosed || this.#stopping.aborted) throw error;
        const fields = { reaction: this.#settings.name, error: safeMessage(error) };
        this.#connection.logger.warn(fields, `no reply to ${what}`);
      }
    }
  }

  /** Waits for a reply. In a cluster, the events of an unreachable server delay no events of the others. */
  async #patient<T>({ group, wait }: Run, reply: Promise<T>): Promise<T> {
    if (!this.#connection.isCluster) return reply;
    await Deadline.in(PATIENCE_MS)
      .race(reply)
      .catch(() => {}); // no reply in time, or an error that is thrown below
    return group.isReachable ? reply : wait(reply);
  }

  #log(level: "warn" | "error", { id, entity }: Delivery, fields: object, message: string): void {
    const { name } = this.#settings;
    this.#connection.logger[level]({ reaction: name, id: entity, event: id, ...fields }, message);
  }
}
