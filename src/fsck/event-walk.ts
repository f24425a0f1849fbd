import type { Valkey } from "iovalkey";
import {
  endOf,
  idOf,
  isLater,
  positionAfter,
  readBehind,
  START,
  type StreamEntry,
  startOf,
} from "../valkey/stream.js";
import { type ChangeText, readChange } from "./change-text.js";
import type { Defect } from "./finding.js";
import type { Partition } from "./partition.js";

const BATCH = 200;
const WHY = "fsck never rewrites changes";

/** Describes the last change of an entity in the event log. */
export interface LastEvent extends ChangeText {
  /** The id of the stream entry. */
  readonly entry: string;
  /** Number of earlier entities with this id in the log. */
  readonly life: number;
}

/** Reads the event log of one partition in small steps, and remembers the last change of each entity. */
export class EventWalk {
  readonly #partition: Partition;
  readonly #last = new Map<string, LastEvent>();
  readonly #runs = new Map<string, string[]>();
  #cursor: string | undefined;
  #isWhole = true;
  #oldestMs: number | undefined;
  #count = 0;

  constructor(partition: Partition) {
    this.#partition = partition;
  }

  /** Returns the number of changes that were read. */
  get count(): number {
    return this.#count;
  }

  /** True if nothing was trimmed: a change that is not in the log never happened. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Returns the time of the oldest change in the log, in ms; undefined if the log is empty. */
  get oldestMs(): number | undefined {
    return this.#oldestMs;
  }

  /** Returns the entity's last change among those that were read. */
  last(id: string): LastEvent | undefined {
    return this.#last.get(id);
  }

  /** Returns the stream entries of an entity's changes, oldest first: the last ones without a gap. */
  run(id: string): readonly string[] {
    return this.#runs.get(id) ?? [];
  }

  /** Returns the ids of all entities with a change that was read. */
  ids(): string[] {
    return [...this.#last.keys()];
  }

  /** Reads the next batch and returns its defects; `isDone` is true once `end` is reached. */
  async step(client: Valkey, end: string): Promise<{ defects: Defect[]; isDone: boolean }> {
    const { events } = this.#partition.keys;
    if (this.#cursor === undefined) {
      this.#cursor = await startOf(client, events);
      this.#isWhole = this.#cursor === START;
    }
    const { entries, gap } = await readBehind(client, events, this.#cursor, BATCH);
    if (gap !== undefined) this.#forget(gap.start);
    const defects = entries.flatMap((entry) => this.#take(entry));
    const last = entries.at(-1);
    if (last !== undefined) this.#cursor = positionAfter(last);
    return { defects, isDone: last === undefined || !isLater(end, last.id) };
  }

  /** Reads up to the current end. */
  async catchUp(client: Valkey): Promise<Defect[]> {
    const end = await endOf(client, this.#partition.keys.events);
    const defects: Defect[] = [];
    for (let isDone = this.#cursor !== undefined && idOf(this.#cursor) === end; !isDone; ) {
      const step = await this.step(client, end);
      defects.push(...step.defects);
      isDone = step.isDone;
    }
    return defects;
  }

  /** Starts afresh after a gap: changes that were trimmed unread make everything read before it out of date. */
  #forget(cursor: string): void {
    this.#last.clear();
    this.#runs.clear();
    this.#cursor = cursor;
    this.#isWhole = false;
    this.#oldestMs = undefined;
  }

  #take({ id: entry, text }: StreamEntry): Defect[] {
    const { location, keys } = this.#partition;
    this.#count += 1;
    this.#oldestMs ??= Number(entry.split("-")[0]);
    const change = readChange(location.machine, text);
    if (change === undefined) {
      const message = `the entry ${entry} is not a change of this machine`;
      return [{ kind: "event-broken", id: "", key: keys.events, message, why: WHY }];
    }
    const { id, version } = change;
    const before = this.#last.get(id);
    const isRestored = change.type === `${location.machine}.restored`;
    const isNew = (version === 1 || isRestored) && before?.isRemoval === true;
    const life = (before?.life ?? 0) + (isNew ? 1 : 0);
    this.#last.set(id, { ...change, entry, life });
    const first = this.#isWhole && !isRestored ? 1 : version;
    const next = before?.isRemoval === true && !isRestored ? 1 : (before?.version ?? 0) + 1;
    const expected = before === undefined || (isRestored && before.isRemoval) ? first : next;
    if (before !== undefined && !before.isRemoval && version === expected) this.#runs.get(id)?.push(entry);
    else this.#runs.set(id, [entry]);
    if (version === expected) return [];
    const message = `version ${version} (entry ${entry}) stands in the place of version ${expected}`;
    return [{ kind: "event-gap", id, key: keys.events, message, why: WHY }];
  }
}
