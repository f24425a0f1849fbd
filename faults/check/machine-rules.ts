import type { FieldMap, RunMachine, RunState } from "../history/records.js";

const ORDINAL_STEP = 10 ** 13;

/** Answers what a machine permits, from its definition alone. */
export class MachineRules {
  readonly name: string;
  readonly initial: string;
  /** Number of changes that an entity's log keeps. */
  readonly history: number;
  readonly #states: ReadonlyMap<string, RunState>;
  readonly #ordinals: ReadonlyMap<string, number>;
  readonly #stamps: ReadonlySet<string>;

  constructor({ name, initial, states, history }: RunMachine) {
    this.name = name;
    this.initial = initial;
    this.history = history;
    this.#states = new Map(Object.entries(states));
    this.#ordinals = new Map(Object.keys(states).map((state, at) => [state, at]));
    this.#stamps = new Set(Object.values(states).flatMap(({ stamp }) => stamp ?? []));
  }

  leads(from: string, to: string): boolean {
    return this.#states.get(from)?.to?.includes(to) ?? false;
  }

  get states(): readonly string[] {
    return [...this.#states.keys()];
  }

  has(state: string): boolean {
    return this.#states.has(state);
  }

  /** Returns the name of the event of entering a state. */
  eventOf(state: string): string {
    return this.#states.get(state)?.event ?? `${this.name}.${state}`;
  }

  stampOf(state: string): string | undefined {
    return this.#states.get(state)?.stamp;
  }

  isStamp(field: string): boolean {
    return this.#stamps.has(field);
  }

  /** Returns a field that a state requires and that is absent. A state that requires its own stamp gets it on entry. */
  missingFieldIn(state: string, fields: FieldMap): string | undefined {
    const { require = [], stamp } = this.#states.get(state) ?? {};
    return require.find((field) => field !== stamp && !Object.hasOwn(fields, field));
  }

  indexScore(state: string, since: number): number {
    return (this.#ordinals.get(state) ?? Number.NaN) * ORDINAL_STEP + since;
  }

  /** Returns when the first timer of a state ends, or undefined if it has none. */
  dueAt(state: string, since: number): number | undefined {
    const { timeout, lease, retain } = this.#states.get(state) ?? {};
    const spans = [timeout?.after, lease?.for, retain].flatMap((span) => span ?? []);
    return spans.length === 0 ? undefined : since + Math.min(...spans);
  }
}
