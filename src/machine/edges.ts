import { compileMachine } from "./compile.js";
import type { CompiledMachine } from "./compiled.js";
import type { MachineDefinition } from "./definition.js";
import { durationText } from "./duration.js";

/** A machine as defined, or compiled as a server holds it. */
export type AnyMachine = MachineDefinition | CompiledMachine;

/** One arrow of a drawing. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  /** The deadlines that take this way by themselves: `timeout 5m`, `lease 30s`. */
  readonly deadlines: readonly string[];
}

/** The compiled form of either. */
export function compiled(machine: AnyMachine): CompiledMachine {
  return "json" in machine ? machine : compileMachine(machine);
}

/** Every transition, once, in the order of the definition. */
export function edgesOf(machine: CompiledMachine): Edge[] {
  return Object.entries(machine.states).flatMap(([from, { to = [], timeout, lease }]) =>
    to.map((target) => ({
      from,
      to: target,
      deadlines: [
        ...(timeout?.to === target ? [`timeout ${durationText(timeout.after)}`] : []),
        ...(lease?.to === target ? [`lease ${durationText(lease.for)}`] : []),
      ],
    })),
  );
}
