import type { Valkey } from "iovalkey";
import { endOf, isLater, readBehind, START, type StreamEntry, startOf } from "../valkey/stream.js";
import { digestOf, readChange } from "./change-text.js";
import type { Part } from "./entity-places.js";
import type { Defect } from "./finding.js";

const BATCH = 200;

/** The last change of an entity that the event log holds. */
export interface LastEvent {
  /** The stream entry's id. */
  readonly entry: string;
  readonly version: number;
  readonly state: string;
  readonly isRemoval: boolean;
  /** How many lives of the id the log had shown before. */
  readonly life: number;
  /** Of the document's text. */
  readonly digest: string;
}

/** Reads the event log of one partition in small steps, and remembers the last change of each entity. */
export class EventWalk {
  readonly #part: Part;
  readonly #last = new Map<string, LastEvent>();
  readonly #runs = new Map<string, string[]>();
  #location: string | undefined;
  #isWhole = true;
  #oldestMs: number | undefined;
  #count = 0;

  constructor(part: Part) {
    this.#part = part;
  }

  /** How many changes were read. */
  get count(): number {
    return this.#count;
  }

  /** True where nothing was ever trimmed away: what is not in the log never happened. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** The time of the oldest change that is left, in ms; undefined where none is. */
  get oldestMs(): number | undefined {
    return this.#oldestMs;
  }

  /** The entity's last change, as far as was read. */
  last(id: string): LastEvent | undefined {
    return this.#last.get(id);
  }

  /** The stream entries of the changes that end with its last one, without a gap and all of one life, oldest first. */
  run(id: string): readonly string[] {
    return this.#runs.get(id) ?? [];
  }

  /** Every entity of which something was read. */
  ids(): string[] {
    return [...this.#last.keys()];
  }

  /** Reads one batch on, towards `end`, and tells what is wrong in it; `isDone` at the end. */
  async step(client: Valkey, end: string): Promise<{ defects: Defect[]; isDone: boolean }> {
    const { events } = this.#part.keys;
    if (this.#location === undefined) {
      this.#location = await startOf(client, events);
      this.#isWhole = this.#location === START;
    }
    const { entries, gap } = await readBehind(client, events, this.#location, BATCH);
    if (gap !== undefined) this.#forget(gap);
    const defects = entries.flatMap((entry) => this.#take(entry));
    const last = entries.at(-1)?.id;
    if (last !== undefined) this.#location = last;
    return { defects, isDone: last === undefined || !isLater(end, last) };
  }

  /** Reads on to what is the end now. */
  async catchUp(client: Valkey): Promise<Defect[]> {
    const end = await endOf(client, this.#part.keys.events);
    const defects: Defect[] = [];
    for (let isDone = this.#location === end; !isDone; ) {
      const step = await this.step(client, end);
      defects.push(...step.defects);
      isDone = step.isDone;
    }
    return defects;
  }

  /** Trimmed past what was read: what is known may be out of date, and says nothing about what comes. */
  #forget(location: string): void {
    this.#last.clear();
    this.#runs.clear();
    this.#location = location;
    this.#isWhole = false;
    this.#oldestMs = undefined;
  }

  #take({ id: entry, text }: StreamEntry): Defect[] {
    const { location, keys } = this.#part;
    this.#count += 1;
    this.#oldestMs ??= Number(entry.split("-")[0]);
    const change = readChange(location.machine, text);
    if (change === undefined) {
      const message = `the entry ${entry} is no change of this machine`;
      const why = "nothing that was logged is ever rewritten";
      return [{ kind: "event-broken", id: "", key: keys.events, message, why }];
    }
    const { id, version, state, isRemoval } = change;
    const before = this.#last.get(id);
    const isNew = version === 1 && before?.isRemoval === true;
    const life = (before?.life ?? 0) + (isNew ? 1 : 0);
    this.#last.set(id, { entry, version, state, isRemoval, life, digest: digestOf(text) });
    const expected =
      before === undefined ? this.#firstOf(version) : before.isRemoval ? 1 : before.version + 1;
    const goesOn = before !== undefined && !before.isRemoval && version === expected;
    if (goesOn) this.#runs.get(id)?.push(entry);
    else this.#runs.set(id, [entry]);
    if (version === expected) return [];
    const message = `version ${version} (entry ${entry}) stands where ${expected} belongs`;
    const why = "nothing that was logged is ever rewritten";
    return [{ kind: "event-gap", id, key: keys.events, message, why }];
  }

  #firstOf(version: number): number {
    return this.#isWhole ? 1 : version;
  }
}
