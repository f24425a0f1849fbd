import { setMaxListeners } from "node:events";
import { LatchkeyError } from "../errors/latchkey-error.js";
import { backoffMs } from "../valkey/backoff.js";
import type { Connection } from "../valkey/connection.js";
import { mayPass, replyCode, safeMessage } from "../valkey/failure.js";
import { thrownText } from "../valkey/thrown-text.js";
import type { Assignment, Begun, Ending, ReactionGroup } from "./group.js";
import { tellMissed } from "./missed.js";
import { unlessStopped } from "./pause.js";
import type { ReactionSettings, TextHandler } from "./settings.js";
import { Slots } from "./slots.js";

/** The events of one entity, handled one after the other. */
interface Lane {
  readonly group: ReactionGroup;
  readonly queue: Assignment[];
}

/** A handler that runs. */
interface Running {
  readonly group: ReactionGroup;
  readonly event: Assignment;
  readonly attempt: number;
  /** The number of the try. */
  readonly call: number;
  readonly abort: AbortController;
}

/** So many entities may wait for their next try before no more events are taken, for each handler that may run. */
const PARKED_PER_SLOT = 100;
const LONGEST_ERROR_TEXT = 1_000;

/** Handles the events that this replica was given: several entities at once, each entity's in their order. */
export class ReactionLanes {
  readonly #connection: Connection;
  readonly #name: string;
  readonly #handler: TextHandler;
  readonly #settings: ReactionSettings;
  readonly #slots: Slots;
  readonly #stopping: AbortSignal;
  readonly #lanes = new Map<string, Lane>();
  readonly #known = new Set<string>();
  readonly #running = new Map<string, Running>();
  /** Begun, or taken back, and not answered yet. */
  readonly #counting = new Set<Promise<unknown>>();
  #drains = new Set<Promise<void>>();
  #parked = 0;
  #onRoom: () => void = () => {};
  #failure: { readonly error: unknown } | undefined;

  constructor(
    connection: Connection,
    name: string,
    handler: TextHandler,
    settings: ReactionSettings,
    stopping: AbortSignal,
  ) {
    this.#connection = connection;
    this.#name = name;
    this.#handler = handler;
    this.#settings = settings;
    this.#slots = new Slots(settings.concurrency);
    this.#stopping = stopping;
    setMaxListeners(0, stopping); // each event that waits for its next try listens
  }

  /** For how many new events there is room. @throws what an event could not be handled for, where that lasts. */
  get room(): number {
    if (this.#failure !== undefined) throw this.#failure.error;
    const { concurrency } = this.#settings;
    if (this.#parked >= concurrency * PARKED_PER_SLOT) return 0;
    return Math.max(0, concurrency - (this.#lanes.size - this.#parked));
  }

  /** Settles when there is more room, or something is wrong. */
  async moreRoom(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onRoom = resolve;
    });
  }

  /** Takes an event, unless it is known. */
  add(group: ReactionGroup, event: Assignment): void {
    const key = keyOf(group, event);
    if (this.#known.has(key) || this.#stopping.aborted) return;
    this.#known.add(key);
    const entity = event.entity || key; // of one that the log lost, nobody knows whose it was
    const lane = this.#lanes.get(entity);
    if (lane !== undefined) {
      lane.queue.push(event);
      return;
    }
    const fresh: Lane = { group, queue: [event] };
    this.#lanes.set(entity, fresh);
    const drain = this.#drain(entity, fresh)
      .catch((error: unknown) => {
        this.#failure ??= { error };
        this.#tell("error", event, { error: safeMessage(error) }, "an event is left to be handled again");
      })
      .finally(() => {
        this.#drains.delete(drain);
        this.#onRoom();
      });
    this.#drains.add(drain);
  }

  /** This replica counted as dead for a while: whoever took its events over is on them now. */
  async abortLost(): Promise<void> {
    for (const { group, event, abort } of [...this.#running.values()]) {
      if (!(await group.owns(event)))
        abort.abort(new LatchkeyError("REASSIGNED", "another replica has taken over this event"));
    }
  }

  /** Tells the handlers that run to end at once. It is not they that failed: their tries don't count. */
  abortAll(reason: unknown): void {
    for (const { group, event, attempt, call, abort } of this.#running.values()) {
      if (abort.signal.aborted) continue;
      void this.#uncount(group, event, call, { attempt });
      abort.abort(reason);
    }
  }

  get isIdle(): boolean {
    return this.#drains.size === 0;
  }

  /** Settles when no handler runs any more, and the server knows which tries count. */
  async idle(): Promise<void> {
    while (this.#drains.size > 0) await Promise.all(this.#drains);
    await this.counted();
  }

  /** Settles when the server knows which tries count. */
  async counted(): Promise<void> {
    while (this.#counting.size > 0) await Promise.allSettled(this.#counting);
  }

  async #drain(entity: string, lane: Lane): Promise<void> {
    for (let event = lane.queue[0]; event !== undefined && !this.#stopping.aborted; event = lane.queue[0]) {
      const current = event;
      const pauseMs = await this.#slots.use(() => this.#attempt(lane, current));
      if (pauseMs === LOST) {
        // Others have had those behind it too. What of them is this replica's again by now comes again, in order.
        for (const left of lane.queue) this.#known.delete(keyOf(lane.group, left));
        lane.group.askAnew();
        break;
      }
      if (pauseMs === undefined) {
        lane.queue.shift();
        this.#known.delete(keyOf(lane.group, current));
      } else await this.#park(pauseMs);
    }
    this.#lanes.delete(entity);
  }

  async #park(pauseMs: number): Promise<void> {
    this.#parked += 1;
    this.#onRoom();
    await unlessStopped(pauseMs, this.#stopping);
    this.#parked -= 1;
  }

  /** @returns undefined where the event is done with, LOST where others have it, else after how many ms to try again */
  async #attempt(lane: Lane, event: Assignment): Promise<number | typeof LOST | undefined> {
    if (this.#stopping.aborted) return 0;
    const { group } = lane;
    const call = group.nextCall();
    const begun = await this.#counted(this.#begin(group, event, call));
    if (begun === undefined) return LOST;
    const { attempt, text, isSpent } = begun;
    if (text === undefined) return this.#finish(lane, event, call, { how: "lost" });
    const { deadLetterAfter, firstPauseMs, longestPauseMs } = this.#settings;
    const problem = isSpent ? NOT_KNOWN : await this.#handle(group, event, call, attempt, text);
    if (problem === LOST) return LOST;
    if (problem === undefined) return this.#finish(lane, event, call, { how: "done" });
    if (attempt < deadLetterAfter) {
      this.#tell("warn", event, { attempt, error: problem }, "a handler failed");
      return backoffMs(attempt - 1, firstPauseMs, longestPauseMs);
    }
    this.#tell("error", event, { attempt, error: problem }, "an event is given up");
    return this.#finish(lane, event, call, {
      how: "dead",
      error: problem.slice(0, LONGEST_ERROR_TEXT),
      text,
    });
  }

  async #finish(
    { group, queue }: Lane,
    event: Assignment,
    begun: number,
    ending: Ending,
  ): Promise<typeof LOST | undefined> {
    const call = group.nextCall();
    const end = () => group.finish(event, begun, call, queue[1], ending);
    const isDone = await this.#insist("finish", end, false);
    if (!isDone) {
      this.#tell("warn", event, {}, "an event was taken over by another replica while it was handled");
      return LOST;
    }
    if (ending.how === "lost" && event.mark === "e") {
      const missed = { partition: group.partition, from: event.id, to: event.id, count: 1 };
      tellMissed(this.#connection.logger, this.#name, this.#settings.onMissed, missed);
    }
    return undefined;
  }

  /** Where it is to stop by then, the handler is not called, and the try does not count. */
  async #begin(group: ReactionGroup, event: Assignment, call: number): Promise<Begun | undefined> {
    const { deadLetterAfter } = this.#settings;
    try {
      const begun = await this.#insist("begin", () => group.begin(event, call, deadLetterAfter), undefined);
      if (begun === undefined || !this.#stopping.aborted) return begun;
    } catch (error) {
      if (this.#stopping.aborted) await this.#uncount(group, event, call);
      throw error;
    }
    await this.#uncount(group, event, call);
    return undefined;
  }

  /** Where the server can't be told, the try counts. */
  async #uncount(group: ReactionGroup, event: Assignment, call: number, fields: object = {}): Promise<void> {
    try {
      await this.#counted(group.uncount(event, call));
    } catch (error) {
      if (replyCode(error) === "NOGROUP") return; // gone, and the try with it
      this.#tell(
        "warn",
        event,
        { ...fields, error: safeMessage(error) },
        "a try that was ended by a stop counts",
      );
    }
  }

  async #counted<T>(answer: Promise<T>): Promise<T> {
    this.#counting.add(answer);
    try {
      return await answer;
    } finally {
      this.#counting.delete(answer);
    }
  }

  /** @returns undefined where all went well, LOST where it is another replica's by now, else what went wrong */
  async #handle(
    group: ReactionGroup,
    event: Assignment,
    call: number,
    attempt: number,
    text: string,
  ): Promise<string | typeof LOST | undefined> {
    const abort = new AbortController();
    const key = keyOf(group, event);
    this.#running.set(key, { group, event, attempt, call, abort });
    try {
      await this.#handler(text, { attempt, signal: abort.signal });
      return undefined;
    } catch (error) {
      // Whoever took it over counts the tries from here on; one that was told to stop has not failed.
      if (abort.signal.aborted) return LOST;
      return thrownText(error, true);
    } finally {
      this.#running.delete(key);
    }
  }

  /** Asks until there is an answer; while stopping, no longer than a call may take. */
  async #insist<T>(what: string, attempt: () => Promise<T>, gone: T): Promise<T> {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        // The group is gone, and with it the event.
        if (replyCode(error) === "NOGROUP") return gone;
        if (!mayPass(error) || this.#connection.isClosed || this.#stopping.aborted) throw error;
        this.#connection.logger.warn(
          { reaction: this.#name, error: safeMessage(error) },
          `no answer to ${what}`,
        );
      }
    }
  }

  #tell(level: "warn" | "error", { id, entity }: Assignment, fields: object, message: string): void {
    this.#connection.logger[level]({ reaction: this.#name, id: entity, event: id, ...fields }, message);
  }
}

/** Stands for an event that another replica has taken over. */
const LOST = Symbol("lost");
const NOT_KNOWN =
  "its tries are used up, and how the last one ended is not known: its process died, was taken for dead, or left";

function keyOf({ partition }: ReactionGroup, { mark, id }: Assignment): string {
  return `${partition} ${mark} ${id}`;
}
