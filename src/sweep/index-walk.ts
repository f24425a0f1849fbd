import { dueAt } from "../contract/due-at.js";
import { parseCompiledMachine } from "../machine/compile.js";
import type { CompiledMachine, CompiledState } from "../machine/compiled.js";
import { readIndex } from "../reads/index.js";
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

/** One step of the walk. */
interface IndexStep {
  /** The entities without a deadline, or with one that is later than possible. */
  readonly ids: readonly string[];
  readonly last: Position | undefined;
}

/**
 * Walks through the index of a partition, step by step and again from its start, and finds entities whose deadline is
 * absent or too late. A damaged `due` or a newer version of the machine leaves such entities.
 */
export class IndexWalk {
  readonly #partition: SweepPartition;
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
    if (timed === undefined) return { ids: [], last: undefined };
    const { keys } = this.#partition;
    const entries = await readIndex(this.#partition, keys.index, timed.range, this.#position, STEP);
    const ids = entries.map(({ id }) => id);
    if (ids.length === 0) return { ids, last: undefined };
    const scores = await this.#partition.ask((client) => client.zmscore(keys.due, ...ids));
    const wrong = entries.filter(({ score }, at) => {
      const due = scores[at];
      return due == null || Number(due) > latest(timed, score - timed.range.from, nowMs);
    });
    return { ids: wrong.map(({ id }) => id), last: entries.at(-1) };
  }

  /** Moves past a step. @returns whether the walk has come to the end of the index */
  pass({ last }: IndexStep): boolean {
    this.#position = last;
    if (last === undefined) this.#states.shift();
    return this.#states.length === 0;
  }

  /** Reads the states with a timer from the installed machine; undefined if it cannot be read. */
  async #readStates(): Promise<TimedState[] | undefined> {
    const { keys } = this.#partition;
    const [text, states] = await this.#partition.ask((client) =>
      client.hmget(keys.machine, "definition", "states"),
    );
    if (text == null || states == null) return undefined;
    let definition: CompiledMachine;
    try {
      definition = parseCompiledMachine(text);
    } catch {
      return undefined;
    }
    return states.split(" ").flatMap((name, ordinal) => {
      const state = Object.hasOwn(definition.states, name) ? definition.states[name] : undefined;
      return state === undefined || dueAt(state, 0) === undefined
        ? []
        : [{ range: stateRange(name, ordinal), state, isNewer: definition.version > 1 }];
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
