import type { CompiledState } from "./compiled.js";
import { type AnyMachine, compiled } from "./edges.js";

/** Describes a machine as JSON for `createMachine` of XState v5. */
export interface XStateConfig {
  readonly id: string;
  readonly version: string;
  readonly initial: string;
  readonly states: Readonly<Record<string, XStateNode>>;
}

/** Describes one state of an `XStateConfig`. */
export interface XStateNode {
  readonly type?: "final";
  readonly on?: Readonly<Record<string, string>>;
  /** The compiled properties without an equivalent in XState: event, stamp, require, timeout, lease, retain. */
  readonly meta: Omit<CompiledState, "to">;
}

/**
 * Converts a machine to an XState v5 config. The event of a transition has the name of its target state:
 * `{ type: "running" }`.
 *
 * Timeouts and leases are in `meta` and not in `after`, because the server fires them. An actor with timers of its own
 * could leave a state when the server does not.
 *
 * @throws MachineDefinitionError if the definition is invalid
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
