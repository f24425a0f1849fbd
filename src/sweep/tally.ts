import { type Change, readDocument } from "../contract/document.js";
import type { NotExecutedError } from "../errors/outcome-errors.js";
import { tell } from "../valkey/failed-listener.js";
import type { Logger } from "../valkey/logger.js";

/** What can't fire: an entity whose timer has run out, something in its place, or all of a machine. */
export interface Stuck {
  readonly machine: string;
  /** The entity, or what stands in an id's place in `due` or `index`; empty where it is the machine itself. */
  readonly id: string;
  /** What stands in the way, and what mends it. */
  readonly why: string;
}

/** What sweeping did. */
export interface Swept {
  /** Timeouts and leases that were recorded as run out. */
  readonly expired: number;
  /** Entities that were taken away at the end of their retention. */
  readonly removed: number;
  /** Entities that were given the deadline they should have had. */
  readonly given: number;
  /** What is stuck now: whatever `onStuck` was told of, less what was mended; 10,000 stands for 10,000 or more. */
  readonly stuck: number;
}

/** Who is told what sweeping does. */
export interface SweepListeners {
  /**
   * Told of each change that was made: a timeout or lease that ran out, or a removal. `isFound`: the answer was lost, and
   * the change found in the logs; another sweep may have made it, and tell of it too.
   */
  readonly onChange?: (change: Change, how: { readonly isFound: boolean }) => void;
  /** Told once of each entity that is stuck, and of each machine, of 10,000 at most; again where it was mended and is stuck again. */
  readonly onStuck?: (stuck: Stuck) => void;
}

/** How much of what is stuck is remembered, so that each is told of once, and counted. */
export const MOST_STUCK = 10_000;

/** Keeps count of what a sweep does, and tells of it. */
export class SweepTally {
  readonly #listeners: SweepListeners;
  readonly #logger: Logger;
  /** What can't fire, by where it is: undefined for what is stuck, the refusal for what this user may not fire. */
  readonly #held = new Map<string, Map<string, NotExecutedError | undefined>>();
  #size = 0;
  #stuck = 0;
  #expired = 0;
  #removed = 0;
  #given = 0;

  constructor(listeners: SweepListeners, logger: Logger) {
    this.#listeners = listeners;
    this.#logger = logger;
  }

  /** The counts so far. */
  get swept(): Swept {
    return { expired: this.#expired, removed: this.#removed, given: this.#given, stuck: this.#stuck };
  }

  /** Counts an entity that had no deadline, and has one now. */
  given(): void {
    this.#given += 1;
  }

  /**
   * Counts and tells a change that was made.
   *
   * @param text its document
   * @param isFound not answered, but found in the logs
   */
  changed(machine: string, id: string, text: string, isFound = false): void {
    const isRemoval = text.startsWith(`{"type":"${machine}.removed"`);
    if (isRemoval) this.#removed += 1;
    else this.#expired += 1;
    let change: Change;
    try {
      change = readDocument<Change>(text);
    } catch {
      // Made of the entity's fields, as they are: something other than latchkey wrote one of them.
      this.#logger.warn({ machine, id }, "ran out, but the change can't be read: a field of it is no JSON");
      return;
    }
    const { state, reason } = change;
    this.#logger.info({ machine, id, state, reason, ...(isFound && { isFound }) }, "ran out");
    const listener = (news: Change): void => this.#listeners.onChange?.(news, { isFound });
    tell(this.#logger, "of a sweep", listener, change);
  }

  /**
   * Counts and tells what is stuck, unless it is known already.
   *
   * @param where the key of its partition's due, or the namespace's facts
   * @param name what it is known by there
   */
  stuck(where: string, name: string, stuck: Stuck): void {
    if (!this.#hold(where, name, undefined)) return;
    this.#stuck += 1;
    this.#logger.warn(
      { ...stuck },
      stuck.id === "" ? "a machine can't fire" : "a timer has run out and can't fire",
    );
    tell(this.#logger, "of a sweep", this.#listeners.onStuck, stuck);
  }

  /** Remembers what this user may not fire. */
  denied(where: string, name: string, error: NotExecutedError): void {
    this.#hold(where, name, error);
  }

  /** A refusal of what this user may not fire; undefined where there is none. */
  get denial(): NotExecutedError | undefined {
    for (const held of this.#held.values()) {
      for (const error of held.values()) if (error !== undefined) return error;
    }
    return undefined;
  }

  /** It is stuck no more. */
  free(where: string, name: string): void {
    const held = this.#held.get(where);
    if (held === undefined || !held.has(name)) return;
    const isStuck = held.get(name) === undefined;
    held.delete(name);
    if (held.size === 0) this.#held.delete(where);
    this.#size -= 1;
    if (!isStuck) return;
    this.#stuck -= 1;
    this.#logger.info({ where, name }, "stuck no more");
  }

  /** All that is held there, by name. */
  heldAt(where: string): readonly string[] {
    return [...(this.#held.get(where)?.keys() ?? [])];
  }

  /** Lets all others held there come before it. */
  putLast(where: string, name: string): void {
    const held = this.#held.get(where);
    if (held === undefined || !held.has(name)) return;
    const error = held.get(name);
    held.delete(name);
    held.set(name, error);
  }

  /** @returns false where it is known already, or too much is */
  #hold(where: string, name: string, error: NotExecutedError | undefined): boolean {
    const held = this.#held.get(where) ?? new Map<string, NotExecutedError | undefined>();
    if (held.has(name) || this.#size >= MOST_STUCK) return false;
    this.#held.set(where, held.set(name, error));
    this.#size += 1;
    return true;
  }
}
