import { refuse } from "../contract/arguments.js";
import type { Entities } from "../entities.js";
import type { Latchkey } from "../latchkey.js";
import { compareMachines } from "../machine/compare.js";
import { compileMachine } from "../machine/compile.js";
import type { CompiledMachine } from "../machine/compiled.js";
import type { MachineDefinition } from "../machine/definition.js";

interface UsedMachine {
  readonly compiled: CompiledMachine;
  readonly entities: Promise<Entities>;
}

/** The machines that the modules of an application use. Each is applied once, however many modules name it. */
export class UsedMachines {
  readonly #machines = new WeakMap<Latchkey, Map<string, UsedMachine>>();

  /** Returns the entities of all machines of a connection. */
  all(latchkey: Latchkey): Promise<readonly Entities[]> {
    return Promise.all([...(this.#machines.get(latchkey)?.values() ?? [])].map(({ entities }) => entities));
  }

  /**
   * Applies a machine, and returns its entities.
   *
   * @throws ContractError if another module uses another definition of the name; the errors of `latchkey.machine`
   */
  entities(latchkey: Latchkey, machine: MachineDefinition): Promise<Entities> {
    const machines = this.#machines.get(latchkey) ?? new Map<string, UsedMachine>();
    this.#machines.set(latchkey, machines);
    const compiled = compileMachine(machine);
    const known = machines.get(compiled.name);
    if (known === undefined) {
      const entities = latchkey.machine(machine);
      machines.set(compiled.name, { compiled, entities });
      return entities;
    }
    const differences = compareMachines(known.compiled, compiled);
    if (differences.length === 0) return known.entities;
    refuse(
      `two modules use different definitions of machine "${compiled.name}" (${differences.join("; ")}); ` +
        "export one definition and use it in both",
    );
  }
}
