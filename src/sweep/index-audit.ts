import { dueAt } from "../contract/due-at.js";
import { LayoutError } from "../errors/layout-error.js";
import type { CompiledState } from "../machine/compiled.js";
import { readIndex } from "../reads/index.js";
import { readMachineOf } from "../reads/installed-machine.js";
import { type Position, type StateRange, stateRange } from "../reads/position.js";
import type { SweepPartition } from "./partition.js";

/** The number of entities that one step checks. */
const STEP = 500;
/** A deadline may be later than possible by so much, in ms: a heartbeat may have set it just now. */
const TOLERANCE_MS = 5_000;

/** A state with a timer, and its part of the index. */
interface TimedState {
  readonly range: StateRange;
  /** The state, without a lease for which an older version of the machine may have set a later deadline. */
  readonly state: CompiledState;
}

/**
 * Walks through the index of a partition, step by step and again from its start, and finds entities whose deadline is
 * absent or too late. A damaged `due` or a newer version of the machine leaves such entities.
 */
export class IndexAudit {
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
   * @returns those whose deadline is absent or later than possible, and whether the walk has come to its end
   * @throws LayoutError if the machine's definition cannot be read
   */
  async next(nowMs: number): Promise<{ readonly ids: readonly string[]; readonly isEnd: boolean }> {
    if (this.#states.length === 0) this.#states = await this.#readStates();
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
      const latest = dueAt(timed.state, score - timed.range.from, nowMs + TOLERANCE_MS);
      return due == null || Number(due) > (latest ?? Number.POSITIVE_INFINITY);
    });
    return { ids: wrong.map(({ id }) => id), isEnd };
  }

  /** Reads the states with a timer from the installed machine. */
  async #readStates(): Promise<TimedState[]> {
    const { connection, location, partition } = this.#partition;
    const machine = await readMachineOf(partition, connection, location);
    if (machine === null) throw new LayoutError(`the definition of ${location.machine} is missing`);
    const { definition, ordinals } = machine;
    return ordinals.flatMap((name, ordinal) => {
      const state = Object.hasOwn(definition.states, name) ? definition.states[name] : undefined;
      if (state === undefined || dueAt(state, 0) === undefined) return [];
      const { lease, ...others } = state;
      return [{ range: stateRange(name, ordinal), state: definition.version > 1 ? others : state }];
    });
  }
}
