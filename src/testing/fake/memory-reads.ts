import { checkId, checkWhole } from "../../contract/arguments.js";
import { readDocument, type Snapshot } from "../../contract/document.js";
import type { CompiledMachine } from "../../machine/compiled.js";
import { type CursorScope, cursorText, parseCursor } from "../../reads/cursor.js";
import { isDue } from "../../reads/due.js";
import { type HistoryEntry, type HistoryOptions, readHistory } from "../../reads/history.js";
import type { InstalledMachine } from "../../reads/installed-machine.js";
import {
  LIST_OPTIONS,
  type ListOptions,
  LONGEST_PAGE,
  PAGE,
  PAGE_OPTIONS,
  type Page,
  type PageOptions,
} from "../../reads/list.js";
import { checkFilter, filterText, type ListFilter, rangesIn } from "../../reads/list-filter.js";
import { isAfter, isWithin, type Position, type StateRange } from "../../reads/position.js";
import { type EntityReadOptions, limited, type ReadOptions } from "../../valkey/ask.js";
import type { MachineStore } from "../../valkey/machine-store.js";
import type { MemoryServer } from "./memory-server.js";

/** Reads entities in memory, as the reads of a server do. */
export class MemoryReads {
  readonly #server: MemoryServer;
  readonly #store: MachineStore;
  readonly #installed: InstalledMachine;

  constructor(server: MemoryServer, store: MachineStore) {
    this.#server = server;
    this.#store = store;
    const { definition } = store;
    this.#installed = { definition, ordinals: ordinalsOf(definition) };
  }

  get(id: string, options: EntityReadOptions): Snapshot | null {
    this.#check(options, ["reads"]);
    const { text } = this.#server.run("get", checkId("id", id, 128));
    return text === null ? null : readDocument<Snapshot>(text);
  }

  position(id: string, options: ReadOptions): string {
    this.#check(options);
    checkId("id", id, 128);
    return this.#server.model.end;
  }

  count(options: EntityReadOptions): Record<string, number> {
    this.#check(options, ["reads"]);
    const states = [...this.#server.model.entities.values()].map(({ state }) => state);
    return Object.fromEntries(
      this.#installed.ordinals.map((state) => [state, states.filter((other) => other === state).length]),
    );
  }

  history(id: string, options: HistoryOptions | number): HistoryEntry[] {
    const { limit = this.#installed.definition.history, ...others } =
      typeof options === "number" ? { limit: options } : options;
    this.#check(others, ["reads"]);
    checkWhole("limit", limit, 1);
    const { log = [] } = this.#server.model.entities.get(checkId("id", id, 128)) ?? {};
    const newest = log.slice(-Math.min(limit, this.#installed.definition.history));
    return readHistory(newest.flatMap(({ text, op }) => [text, op]));
  }

  listPage(options: PageOptions): Page {
    this.#check(options, PAGE_OPTIONS);
    checkFilter(options);
    const { limit = PAGE, cursor } = options;
    checkWhole("limit", limit, 1, LONGEST_PAGE);
    const selected = this.#select(options, this.#ranges(options));
    const scope: CursorScope = { ...this.#store.location, filter: filterText(options) };
    const after = cursor === undefined ? undefined : parseCursor(cursor, scope);
    const rest = selected.filter((position) => after === undefined || isAfter(position, after));
    const items = rest.slice(0, limit);
    const last = rest.length > limit ? items.at(-1) : undefined;
    return {
      items: items.flatMap(({ id }) => this.#snapshot(id) ?? []),
      ...(last !== undefined && { cursor: cursorText(scope, last) }),
    };
  }

  /** Selects the entities when the first one is taken, and reads each when it is taken. */
  async *list(options: ListOptions): AsyncGenerator<Snapshot, void> {
    limited(this.#store, options, LIST_OPTIONS);
    checkFilter(options);
    const { signal, ...filter } = options;
    const ranges = this.#ranges(filter);
    for (const { id } of this.#select(filter, ranges)) {
      const entity = this.#snapshot(id);
      if (signal?.aborted) return;
      if (entity !== null && ranges.some((range) => isWithin(range, entity))) yield entity;
    }
  }

  #check(options: EntityReadOptions, known?: readonly string[]): void {
    limited(this.#store, options, known).signal?.throwIfAborted();
  }

  #ranges(options: ListFilter): StateRange[] {
    return rangesIn(this.#installed, options, this.#server.nowMs);
  }

  /** Returns the entities that match, in the order of the index. */
  #select(options: ListFilter, ranges: readonly StateRange[]): Position[] {
    const { nowMs, model } = this.#server;
    const { dueWithin, stuck = false } = options;
    const isTimed = dueWithin !== undefined || stuck;
    return [...model.entities]
      .flatMap(([id, { state, enteredMs, dueMs }]): Position[] => {
        const range = ranges.find((one) => one.state === state);
        if (range === undefined || range.from + enteredMs > range.to) return [];
        if (isTimed && !isDue(options, dueMs ?? null, nowMs)) return [];
        return [{ score: range.from + enteredMs, id }];
      })
      .sort((a, b) => (isAfter(a, b) ? 1 : -1));
  }

  #snapshot(id: string): Snapshot | null {
    const text = this.#server.model.snapshot(id);
    return text === null ? null : readDocument<Snapshot>(text);
  }
}

/** Returns the states in the order of the index: breadth first from the initial one, then the unreachable ones. */
function ordinalsOf({ initial, states }: CompiledMachine): string[] {
  const reached = new Set([initial]);
  for (const state of reached) for (const next of states[state]?.to ?? []) reached.add(next);
  const others = Object.keys(states).filter((state) => !reached.has(state));
  return [...reached, ...others.sort()];
}
