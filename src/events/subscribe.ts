import { checkFunctions, checkOptions, refuse } from "../contract/arguments.js";
import type { Change } from "../contract/document.js";
import { kindOf } from "../machine/json-value.js";
import { callListener, reportListener } from "../valkey/failed-listener.js";
import { channelOf } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { type Member, Subscriber } from "./subscriber.js";

/** A running subscription. */
export interface Subscription {
  /** Ends the subscription; the listener is not called again. */
  close(): Promise<void>;
}

/**
 * Receives each change. If it throws or rejects, the error is reported and the next change is delivered as usual. All
 * subscriptions of one client receive the same object: do not change it.
 */
export type Listener<C> = (change: C) => void | Promise<void>;

/** Options of `subscribe`. */
export interface SubscribeOptions {
  /**
   * Called after the subscription was interrupted and works again: changes may have been missed. The connection was
   * lost, or closed because the server froze or because this client read too slowly. Data read from this call on,
   * together with the changes that follow, is complete.
   */
  readonly onMissed?: () => void;
}

const OPTIONS: readonly (keyof SubscribeOptions)[] = ["onMissed"];

/**
 * Subscribes to changes as they are published: cheap, at most once. Changes published while the connection is down are
 * not delivered. The event log is the truth. All subscriptions of a client share one connection.
 *
 * A failing listener is logged as an error. Without a logger it becomes a process warning, `LATCHKEY_LISTENER`.
 *
 * @throws ContractError if the listener or an option is invalid.
 * @throws ConnectError if no connection can be made within the time limit of a call, or the user may not subscribe;
 * ClosedError if latchkey is closed.
 */
export async function subscribe<C extends Change<string, object>>(
  { connection, location }: MachineStore,
  listener: Listener<C>,
  options: SubscribeOptions,
): Promise<Subscription> {
  checkSubscribe(listener, options);
  const { onMissed } = options;
  const channel = channelOf(location);
  const member: Member = {
    onChange: (change) => {
      // Asynchronous: an error thrown here would lose the messages that follow.
      void (async () => listener(change as C))().catch((error: unknown) =>
        reportListener(connection.logger, `on ${channel}`, error),
      );
    },
    onMissed: () => callListener(connection.logger, `for a gap on ${channel}`, onMissed, undefined),
  };
  const subscriber = Subscriber.of(connection);
  await subscriber.join(location, member);
  return {
    close: async () => subscriber.leave(location, member),
  };
}

/** @throws ContractError if the listener or an option is invalid */
export function checkSubscribe<C>(listener: Listener<C>, options: SubscribeOptions): void {
  if (typeof listener !== "function")
    refuse(`the listener must be a function, not ${kindOf(listener)}; it is called with each change`);
  checkOptions(options, OPTIONS);
  checkFunctions({ onMissed: options.onMissed });
}
