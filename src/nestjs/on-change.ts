import type { Change } from "../contract/document.js";
import type { EventOf, MachineDefinition, StateOf } from "../machine/definition.js";
import { type DecoratedMethod, MethodMarks } from "./method-marks.js";

/** Options of {@link OnChange}. */
export interface OnChangeOptions {
  /** Name of the connection, if the application has several. */
  readonly connection?: string;
  /** Name of a method of the same class that is called without arguments after changes may have been missed. */
  readonly onMissed?: string;
}

/** A listener that a decorator declares. */
export interface MarkedListener extends OnChangeOptions {
  readonly machine: MachineDefinition | string;
  /** Types of the events; empty for all. */
  readonly types: readonly string[];
}

export const listenerMarks = new MethodMarks<MarkedListener>("latchkey:on-change");

/**
 * Calls a method of a provider or controller in every replica for changes as they are published: cheap, at most once. If
 * the connection was lost, changes may have been missed: that is logged, and the method `onMissed` is called. A method that
 * throws is logged. See `Entities.subscribe`. For work that must not be lost use {@link OnTransition}.
 *
 * @param machine the machine, or its name; `LatchkeyModule.forFeature` of some module must name it
 * @param types types of the events; without it all
 * @throws ContractError at the application's startup if an option is invalid, the provider is request-scoped or
 * transient, or the machine, an event or the method `onMissed` is unknown
 * @example
 * @OnChange(order, ["order.paid"], { onMissed: "reload" })
 * update({ id }: Change) { this.cache.delete(id); }
 */
export function OnChange<const M extends MachineDefinition>(
  machine: M | string,
  types: readonly EventOf<NoInfer<M>>[] = [],
  options: OnChangeOptions = {},
): DecoratedMethod<[change: Change<StateOf<M>>]> {
  return listenerMarks.decorator({ ...options, machine: machine as MachineDefinition | string, types });
}
