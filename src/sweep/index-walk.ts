import { dueAt } from "../contract/due-at.js";
import type { NotExecutedError } from "../errors/outcome-errors.js";
import { parseCompiledMachine } from "../machine/compile.js";
import type { CompiledState } from "../machine/compiled.js";
import { readIndex } from "../reads/index.js";
import { type Position, type Stretch, stretchOf } from "../reads/position.js";
import { ask } from "../valkey/ask.js";
import { DamagedPartError, type SweepAsk } from "./expire-batch.js";
import { sweepOf } from "./partition.js";
import type { SweepTally } from "./tally.js";

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
 * Looks through the index of a partition, step by step and over and over, for entities that should have a deadline and
 * have none, or a later one than is possible: due was damaged, or a newer machine brought a timer, or shortened a timeout
 * or a retention. They get theirs.
 */
export class Audit {
  readonly #asker: SweepAsk;
  #timed: Timed[] = [];
  #position: Position | undefined;

  constructor(asker: SweepAsk) {
    this.#asker = asker;
  }

  /** One step, at `nowMs` (server time). At the end of the index the next step begins anew. */
  async step(nowMs: number, tally: SweepTally): Promise<"end" | "more"> {
    if (this.#timed.length === 0) this.#timed = await this.#plan();
    const [timed] = this.#timed;
    if (timed === undefined) return "end";
    const { part } = this.#asker;
    const found = await readIndex(part, part.keys.index, timed.stretch, this.#position, STEP);
    const ids = found.map(({ id }) => id);
    const scores =
      ids.length === 0
        ? []
        : await ask(part.connection, sweepOf(part), (client) => client.zmscore(part.keys.due, ...ids));
    const wrong = found.filter(({ score }, at) => {
      const due = scores[at];
      return due == null || Number(due) > latest(timed, score - timed.stretch.from, nowMs);
    });
    let away: NotExecutedError | undefined;
    if (wrong.length > 0) {
      const answer = await this.#asker.ask(
        wrong.map(({ id }) => id),
        part.keys.index,
      );
      // It may just have moved, or fired.
      for (const came of answer.came) if (came === "right") tally.given();
      away = answer.away;
    }
    if (away !== undefined) throw away;
    this.#position = found.at(-1);
    if (this.#position === undefined) this.#timed.shift();
    return this.#timed.length > 0 ? "more" : "end";
  }

  /** The states with a timer, as the partition's machine is now. @throws DamagedPartError where it has none. */
  async #plan(): Promise<Timed[]> {
    const { part } = this.#asker;
    const [text, states] = await ask(part.connection, sweepOf(part), (client) =>
      client.hmget(part.keys.machine, "definition", "states"),
    );
    const definition = readMachine(text);
    if (definition === undefined || states == null) {
      await this.#asker.examine();
      throw new DamagedPartError(`${part.keys.machine} can't be read`);
    }
    return states.split(" ").flatMap((name, ordinal) => {
      const state = Object.hasOwn(definition.states, name) ? definition.states[name] : undefined;
      return state === undefined || dueAt(state, 0) === undefined
        ? []
        : [{ stretch: stretchOf(name, ordinal), state, isNewer: definition.version > 1 }];
    });
  }
}

function readMachine(text: string | null | undefined): ReturnType<typeof parseCompiledMachine> | undefined {
  try {
    return text == null ? undefined : parseCompiledMachine(text);
  } catch {
    return undefined;
  }
}

/** The latest that a deadline can be, of an entity that entered its state at `since` and may be renewed just now. */
function latest({ state, isNewer }: Timed, since: number, nowMs: number): number {
  const { lease, ...others } = state;
  const end = lease === undefined || isNewer ? dueAt(others, since) : dueAt(state, since, nowMs + LEEWAY_MS);
  return end ?? Number.POSITIVE_INFINITY;
}
