import type { MachineDefinition } from "../../src/index.js";

/** Describes one call: a transition, or a patch if `to` is absent. */
export interface Step {
  readonly to?: string;
  readonly set: readonly string[];
  readonly unset: readonly string[];
}

/** One entity by the rules of the design and nothing else: what a machine allows, requires and stamps. */
export class Model {
  readonly #machine: MachineDefinition;
  state: string;
  version = 1;
  /** Own fields: the version that set a stamp, and 0 for all others. */
  readonly fields = new Map<string, number>();

  constructor(machine: MachineDefinition, fields: readonly string[]) {
    this.#machine = machine;
    this.state = machine.initial;
    for (const field of fields) this.fields.set(field, 0);
    this.#stamp();
  }

  /** Returns true if an entity of the machine can be created with these fields. */
  static mayBegin(machine: MachineDefinition, fields: readonly string[]): boolean {
    return (machine.states[machine.initial]?.require ?? []).every((field) => fields.includes(field));
  }

  take({ to, set, unset }: Step): "OK" | "ILLEGAL" | "MISSING" {
    const { to: allowed = [] } = this.#machine.states[this.state] ?? {};
    if (to !== undefined && !allowed.includes(to)) return "ILLEGAL";
    const { require: required = [], stamp } = this.#machine.states[to ?? this.state] ?? {};
    const after = [...this.fields.keys(), ...set].filter((field) => !unset.includes(field));
    // A state that requires its own stamp gets it on entry.
    if (!required.every((field) => field === stamp || after.includes(field))) return "MISSING";
    for (const field of unset) this.fields.delete(field);
    for (const field of set) this.fields.set(field, 0);
    this.version += 1;
    if (to !== undefined) {
      this.state = to;
      this.#stamp();
    }
    return "OK";
  }

  #stamp(): void {
    const { stamp } = this.#machine.states[this.state] ?? {};
    if (stamp !== undefined && !this.fields.has(stamp)) this.fields.set(stamp, this.version);
  }
}
