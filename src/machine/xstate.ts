import type { CompiledState } from "./compiled.js";
import { type AnyMachine, compiled } from "./edges.js";

/** A machine as XState v5's `createMachine` reads it, all JSON. */
export interface XStateConfig {
  readonly id: string;
  readonly version: string;
  readonly initial: string;
  readonly states: Readonly<Record<string, XStateNode>>;
}

/** One state of an `XStateConfig`. */
export interface XStateNode {
  readonly type?: "final";
  readonly on?: Readonly<Record<string, string>>;
  /** What XState has no word for, as compiled: event, stamp, require, timeout, lease, retain. */
  readonly meta: Omit<CompiledState, "to">;
}

/**
 * Turns a machine into an XState v5 config. The event that moves it to a state is named like that state:
 * `{ type: "running" }`.
 *
 * Timeouts and leases stand in `meta` and not in `after`: the server fires them, and an actor running its own
 * timers would move where the server does not.
 *
 * @throws MachineDefinitionError when the definition is invalid
 * @example
 * createActor(createMachine(toXState(agent()))).start().send({ type: "running" });
 */
export function toXState(machine: AnyMachine): XStateConfig {
  const { name, version, initial, states } = compiled(machine);
  const nodes = Object.entries(states).map(([state, { to, ...meta }]): [string, XStateNode] => [
    state,
    to === undefined
      ? { type: "final", meta }
      : { on: Object.fromEntries(to.map((target) => [target, target])), meta },
  ]);
  return { id: name, version: String(version), initial, states: Object.fromEntries(nodes) };
}
