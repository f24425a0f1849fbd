import { dueAt } from "../contract/due-at.js";
import { LayoutError } from "../errors/layout-error.js";
import type { CompiledState } from "../machine/compiled.js";
import { readIndex } from "../reads/index.js";
import { readMachine } from "../reads/installed-machine.js";
import { type Position, type StateRange, stateRange } from "../reads/position.js";
import type { SweepPartition } from "./partition.js";

/** The number of entities that one step checks. */
const STEP = 500;
/** A deadline may be later than possible by so much, in ms: a heartbeat may have set it just now. */
const TOLERANCE_MS = 5_000;

/** A state with a timer, and its part of the index. */
interface TimedState {
  readonly range: StateRange;
  readonly state: CompiledState;
  /** True if an older version of the machine may have set a longer lease, which then stays. */
  readonly isNewer: boolean;
}

/** The result of one step. */
interface IndexStep {
  /** The entities without a deadline, or with one that is later than possible. */
  readonly ids: readonly string[];
  /** True at the end of the index. */
  readonly isEnd: boolean;
}

/**
 * Walks through the index of a partition, step by step and again from its start, and finds entities whose deadline is
 * absent or too late. A damaged `due` or a newer version of the machine leaves such entities.
 */
export class IndexWalk {
  readonly #partition: SweepPartition;
  /** The states whose entities this walk has not checked yet. */
  #states: TimedState[] = [];
  #position: Position | undefined;

  constructor(partition: SweepPartition) {
    this.#partition = partition;
  }

  /**
   * Checks the next entities.
   *
   * @param nowMs server time
   * @returns undefined if the machine's definition cannot be read
   */
  async next(nowMs: number): Promise<IndexStep | undefined> {
    if (this.#states.length === 0) {
      const states = await this.#readStates();
      if (states === undefined) return undefined;
      this.#states = states;
    }
    const [timed] = this.#states;
    if (timed === undefined) return { ids: [], isEnd: true };
    const { keys } = this.#partition;
    const entries = await readIndex(this.#partition, keys.index, timed.range, this.#position, STEP);
    this.#position = entries.length === STEP ? entries.at(-1) : undefined;
    if (this.#position === undefined) this.#states.shift();
    const isEnd = this.#states.length === 0;
    if (entries.length === 0) return { ids: [], isEnd };
    const scores = await this.#partition.ask((client) =>
      client.zmscore(keys.due, ...entries.map(({ id }) => id)),
    );
    const wrong = entries.filter(({ score }, at) => {
      const due = scores[at];
      return due == null || Number(due) > latest(timed, score - timed.range.from, nowMs);
    });
    return { ids: wrong.map(({ id }) => id), isEnd };
  }

  /** Reads the states with a timer from the installed machine. */
  async #readStates(): Promise<TimedState[] | undefined> {
    const { connection, location, partition } = this.#partition;
    const machine = await readMachine(connection, location, partition).catch((error: unknown) => {
      if (error instanceof LayoutError) return null;
      throw error;
    });
    if (machine === null) return undefined;
    const { definition, ordinals } = machine;
    return ordinals.flatMap((name, ordinal) => {
      const state = Object.hasOwn(definition.states, name) ? definition.states[name] : undefined;
      if (state === undefined || dueAt(state, 0) === undefined) return [];
      return [{ range: stateRange(name, ordinal), state, isNewer: definition.version > 1 }];
    });
  }
}

/** Computes the latest possible deadline of an entity that entered its state at `since`, if it is renewed just now. */
function latest({ state, isNewer }: TimedState, since: number, nowMs: number): number {
  const { lease, ...others } = state;
  const end =
    lease === undefined || isNewer ? dueAt(others, since) : dueAt(state, since, nowMs + TOLERANCE_MS);
  return end ?? Number.POSITIVE_INFINITY;
}
