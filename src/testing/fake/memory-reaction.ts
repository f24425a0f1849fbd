import { storableText } from "../../contract/storable-text.js";
import { callHandler, isTimedOut } from "../../reactions/handler-call.js";
import type { HandlerSettings } from "../../reactions/handler-settings.js";
import type { Reaction } from "../../reactions/reaction.js";
import { onAbort } from "../../valkey/on-abort.js";
import { turn } from "../../valkey/real-time.js";
import type { ModelEvent } from "../model/store.js";
import { changeOf, type MemoryServer } from "./memory-server.js";

/** An event that a reaction has not handled. */
interface Item {
  readonly event: ModelEvent;
  readonly isDeadLetter: boolean;
  attempts: number;
  firstMs: number | undefined;
}

/** An event whose handler failed too often. */
export interface Letter {
  readonly event: ModelEvent;
  readonly error: string;
  readonly attempts: number;
  readonly firstMs: number;
  readonly lastMs: number;
  isRetried: boolean;
}

/** Settings of one member of a reaction. A follower has no dead letters and no delay. */
export interface MemberSettings extends HandlerSettings {
  readonly name: string;
  readonly delayMs: number;
  readonly deadLetterAfter: number;
}

/** A running reaction or follower in this process. */
class Member implements Reaction {
  readonly name: string;
  readonly settings: MemberSettings;
  readonly closed: Promise<void>;
  /** Handlers that run. */
  readonly running = new Set<AbortController>();
  readonly #leave: (member: Member) => void;
  #end = (): void => {};
  #isStopping = false;

  constructor(settings: MemberSettings, leave: (member: Member) => void) {
    this.name = settings.name;
    this.settings = settings;
    this.#leave = leave;
    this.closed = new Promise((resolve) => {
      this.#end = resolve;
    });
    const { signal } = settings;
    const unlisten = onAbort(signal, () => this.stop(signal?.reason));
    void this.closed.then(unlisten);
    if (signal?.aborted === true) this.stop(signal.reason);
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  async close(): Promise<void> {
    this.#isStopping = true;
    this.#leave(this);
    this.settle();
    await this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Stops at once: aborts the running handlers. */
  stop(reason: unknown): void {
    void this.close();
    for (const abort of this.running) abort.abort(reason);
  }

  /** Ends if it stops and no handler runs. */
  settle(): void {
    if (this.#isStopping && this.running.size === 0) this.#end();
  }
}

/** Handles the events of one machine for one name: the events of each entity in order, in any number of members. */
export class MemoryReaction {
  readonly letters: Letter[] = [];
  readonly members = new Set<Member>();
  /** Handles no further events. */
  readonly end: () => void;
  readonly #server: MemoryServer;
  /** Unfinished events by entity. */
  readonly #queues = new Map<string, Item[]>();
  /** Entities whose first event is handled or waits for its retry. */
  readonly #busy = new Set<string>();
  readonly #waiting = new Set<() => void>();
  #types: readonly string[] = [];
  /** Number of events of the log that were delivered. */
  #next: number;

  /** @param from index of the first event to handle */
  constructor(server: MemoryServer, from: number) {
    this.#server = server;
    this.#next = from;
    this.end = server.onEvent(() => this.#start());
  }

  /** Number of events of the log that were delivered. */
  get delivered(): number {
    return this.#next;
  }

  /** The event types of the members. */
  get types(): readonly string[] {
    return this.#types;
  }

  /** Events that were delivered and are not finished. */
  get pending(): readonly ModelEvent[] {
    return [...this.#queues.values()].flatMap((items) => items.map(({ event }) => event));
  }

  /** Adds a member, which handles events from now on. */
  join(settings: MemberSettings): Reaction {
    this.#types = settings.types;
    const member = new Member(settings, (one) => void this.members.delete(one));
    if (!member.isStopping) this.members.add(member);
    this.#start();
    return member;
  }

  /** Delivers an event of a dead letter again. */
  retry(letter: Letter): void {
    letter.isRetried = true;
    this.#queue({ event: letter.event, isDeadLetter: true, attempts: 0, firstMs: undefined });
    this.#start();
  }

  /** Settles as soon as no event can be handled now. */
  async idle(): Promise<void> {
    this.#start();
    while (this.#busy.size > 0 || this.#hasNext)
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  get #hasNext(): boolean {
    return this.members.size > 0 && this.#next < this.#server.events.length;
  }

  #queue(item: Item): void {
    this.#queues.set(item.event.id, [...(this.#queues.get(item.event.id) ?? []), item]);
  }

  /** Starts the events that can be handled now. */
  #start(): void {
    for (; this.#hasNext; this.#next += 1) {
      const event = this.#server.events[this.#next];
      if (event === undefined) break;
      const isWanted = this.#types.length === 0 || this.#types.includes(changeOf(event).type);
      if (isWanted) this.#queue({ event, isDeadLetter: false, attempts: 0, firstMs: undefined });
    }
    for (const [entity, [item]] of this.#queues) {
      if (this.#busy.has(entity) || item === undefined) continue;
      const member = [...this.members].find(({ running, settings }) => running.size < settings.concurrency);
      if (member === undefined || this.#isEarly(item, member)) continue;
      this.#busy.add(entity);
      void this.#handle(entity, item, member);
    }
    if (this.#busy.size > 0) return;
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  /** Returns true, and sets a timer, if an event is to be handled later. */
  #isEarly({ event, attempts }: Item, { settings }: Member): boolean {
    const leftMs = Number(event.position.split("-")[0]) + settings.delayMs - this.#server.nowMs;
    if (settings.delayMs === 0 || attempts > 0 || leftMs <= 0) return false;
    setTimeout(() => this.#start(), leftMs).unref(); // the global one, which a test may replace
    return true;
  }

  async #handle(entity: string, item: Item, member: Member): Promise<void> {
    const abort = new AbortController();
    const { settings } = member;
    member.running.add(abort);
    item.attempts += 1;
    item.firstMs ??= this.#server.nowMs;
    const { attempts: attempt } = item;
    const change = changeOf(item.event);
    const error = await callHandler(settings, { change, attempt, abort, onIgnored: () => {} });
    member.running.delete(abort);
    const isInterrupted = abort.signal.aborted && !isTimedOut(abort.signal);
    if (error === undefined) this.#finish(entity, item);
    else if (isInterrupted) item.attempts -= 1;
    else if (attempt >= settings.deadLetterAfter) this.#bury(entity, item, error);
    else await turn(); // a handler that fails always must not block the process
    this.#busy.delete(entity);
    member.settle();
    this.#start();
  }

  #finish(entity: string, { event, isDeadLetter }: Item): void {
    const rest = (this.#queues.get(entity) ?? []).slice(1);
    if (rest.length === 0) this.#queues.delete(entity);
    else this.#queues.set(entity, rest);
    const at = this.letters.findIndex((letter) => letter.event === event);
    if (isDeadLetter && at >= 0) this.letters.splice(at, 1);
  }

  #bury(entity: string, item: Item, text: string): void {
    const { event, attempts, firstMs = 0 } = item;
    this.#finish(entity, { ...item, isDeadLetter: true });
    const lastMs = this.#server.nowMs;
    const error = storableText(text, 1_000, true);
    this.letters.push({ event, error, attempts, firstMs, lastMs, isRetried: false });
  }
}
