import type { CompiledState } from "../machine/compiled.js";
import type { Store } from "./call.js";
import { dueOf } from "./due-read.js";
import { readStretch } from "./index-read.js";
import { needMachine } from "./machine-record.js";
import { type Position, type Stretch, stretchOf } from "./position.js";
import type { SweepTally } from "./swept.js";
import { dueAt } from "./timers.js";

/** So many entities are looked at in one step. */
const STEP = 500;
/** A deadline that is later than possible by less than this may be of a heartbeat just now, in ms. */
const LEEWAY_MS = 5_000;

interface Timed {
  readonly stretch: Stretch;
  readonly state: CompiledState;
  /** Whether an older version of the machine may have planned a longer lease, which then stands. */
  readonly isNewer: boolean;
}

/**
 * Looks through the index, step by step and over and over, for entities that should have a deadline and have none, or a
 * later one than is possible: due was damaged, or a newer machine brought a timer, or shortened a timeout or a retention.
 * They get theirs.
 */
export class Audit {
  readonly #store: Store;
  #timed: Timed[] = [];
  #position: Position | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** One step, at `nowMs` (server time). At the end of the index the next step begins anew. */
  async step(nowMs: number, tally: SweepTally): Promise<"end" | "more"> {
    if (this.#timed.length === 0) this.#timed = await this.#plan();
    const [timed] = this.#timed;
    if (timed === undefined) return "end";
    const found = await readStretch(this.#store, timed.stretch, this.#position, STEP);
    this.#position = found.at(-1);
    if (this.#position === undefined) this.#timed.shift();
    const scores = await dueOf(
      this.#store,
      found.map(({ id }) => id),
    );
    const wrong = found.filter(({ score }, at) => {
      const due = scores[at] ?? null;
      return due === null || due > latest(timed, score - timed.stretch.from, nowMs);
    });
    await Promise.all(
      wrong.map(async ({ id }) => {
        const outcome = await tally.expire(this.#store, id);
        // It may just have moved, or fired.
        if (outcome === "NOTDUE") tally.given();
      }),
    );
    return this.#timed.length > 0 ? "more" : "end";
  }

  /** The states with a timer, as the machine is now. */
  async #plan(): Promise<Timed[]> {
    const { definition, ordinals } = await needMachine(this.#store.connection, this.#store.place, "sweep");
    return ordinals.flatMap((name, ordinal) => {
      const state = Object.hasOwn(definition.states, name) ? definition.states[name] : undefined;
      return state === undefined || dueAt(state, 0) === undefined
        ? []
        : [{ stretch: stretchOf(name, ordinal), state, isNewer: definition.version > 1 }];
    });
  }
}

/** The latest that a deadline can be, of an entity that entered its state at `since` and may be renewed just now. */
function latest({ state, isNewer }: Timed, since: number, nowMs: number): number {
  const { lease, ...others } = state;
  const end = lease === undefined || isNewer ? dueAt(others, since) : dueAt(state, since, nowMs + LEEWAY_MS);
  return end ?? Number.POSITIVE_INFINITY;
}
