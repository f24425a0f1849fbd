import { compileMachine } from "./compile.js";
import type { CompiledMachine } from "./compiled.js";
import type { MachineDefinition } from "./definition.js";
import { durationText } from "./duration.js";

/** A definition, or a compiled machine. */
export type AnyMachine = MachineDefinition | CompiledMachine;

/** Describes one transition of a drawing. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  /** The timers that cause this transition: `timeout 5m`, `lease 30s`. */
  readonly timers: readonly string[];
}

/** Compiles a definition; returns a compiled machine unchanged. */
export function compiled(machine: AnyMachine): CompiledMachine {
  return "json" in machine ? machine : compileMachine(machine);
}

/** Returns every transition once, in the order of the definition. */
export function edgesOf(machine: CompiledMachine): Edge[] {
  return Object.entries(machine.states).flatMap(([from, { to = [], timeout, lease }]) =>
    to.map((target) => ({
      from,
      to: target,
      timers: [
        ...(timeout?.to === target ? [`timeout ${durationText(timeout.after)}`] : []),
        ...(lease?.to === target ? [`lease ${durationText(lease.for)}`] : []),
      ],
    })),
  );
}
