import type { Change } from "../contract/document.js";
import type { EventOf, MachineDefinition, StateOf } from "../machine/definition.js";
import type { HandlerContext } from "../reactions/handler-settings.js";
import type { ReactOptions } from "../reactions/settings.js";
import { type DecoratedMethod, MethodMarks } from "./method-marks.js";

/** Options of {@link OnTransition}: those of `react`, and these. */
export interface OnTransitionOptions<M extends MachineDefinition = MachineDefinition>
  extends Omit<ReactOptions<EventOf<NoInfer<M>>>, "signal"> {
  /** The machine, or its name. `LatchkeyModule.forFeature` of some module must name it. */
  readonly machine: M | string;
  /** Name of the reaction, the same in all replicas and versions of the program. Each name has its own position in the log. */
  readonly name: string;
  /** Name of the connection, if the application has several. */
  readonly connection?: string;
  /**
   * Handles the case that running replicas use other event types (`on`) for this name, as in a rolling deployment that
   * changes them. `"fail"` rejects the application's startup. `"retry"` starts the application, and the reaction as soon as those
   * replicas have stopped. Until then they handle the events.
   * @default "fail"
   */
  readonly onConflict?: "fail" | "retry";
}

/** A reaction that a decorator declares. */
export type MarkedReaction = OnTransitionOptions;

export const reactionMarks = new MethodMarks<MarkedReaction>("latchkey:on-transition");

/**
 * Handles events of a machine with a method of a provider or controller, at least once, in one replica for all. The
 * method is called with the change and `{ attempt, signal }`. If it throws, the event is retried with backoff, and then
 * becomes a dead letter. See `Entities.react`.
 *
 * The reaction starts when the application has started, and stops when it shuts down. If it ends because of an error, that
 * is logged as fatal, and `LatchkeyHealthIndicator` reports `down`.
 *
 * @throws ContractError at the application's startup if an option is invalid, the provider is request-scoped or
 * transient, the machine or an event is unknown, or two methods have the same `name`
 * @example
 * @OnTransition({ machine: order, on: ["order.paid"], name: "send-receipt" })
 * async sendReceipt({ id }: Change, { signal }: HandlerContext) { await this.mailer.send(id, { signal }); }
 */
export function OnTransition<const M extends MachineDefinition>(
  options: OnTransitionOptions<M>,
): DecoratedMethod<[change: Change<StateOf<M>>, context: HandlerContext]> {
  return reactionMarks.decorator(options as OnTransitionOptions);
}
