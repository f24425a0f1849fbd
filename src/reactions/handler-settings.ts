import { checkDuration, checkOptions, checkSignal, checkWhole, refuse } from "../contract/arguments.js";
import type { Change } from "../contract/document.js";
import type { Duration } from "../machine/duration.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { checkEventTypes } from "./event-types.js";

/** Information about the current attempt, passed to a handler beside the change. */
export interface HandlerContext {
  /** Number of this attempt, from 1. It includes attempts that ended with a crash, and none that a graceful shutdown ended. */
  readonly attempt: number;
  /**
   * Aborted when the handler exceeds `handlerTimeout` (the reason has the code `TIMEDOUT`), when the event was reassigned
   * to another replica, or when the reaction or the follower stops at once.
   */
  readonly signal: AbortSignal;
}

/** Handles one event. If it throws or rejects, the event is retried later. */
export type Handler<C> = (change: C, context: HandlerContext) => void | Promise<void>;

/** Options that `react` and `follow` share. */
export interface HandlerOptions<E extends string = string> {
  /**
   * Types of the events to handle, such as `["agent.completed", "agent.failed"]`. Each must be an event of the machine, in
   * the definition of this program or in the installed one. An empty list is rejected. @default all
   */
  readonly on?: readonly E[];
  /** Number of handlers that run at once in this replica, each for another entity. @default 10 */
  readonly concurrency?: number;
  /**
   * Delay before a retry: exponential backoff with full jitter, starting at `first`, capped at `longest`.
   * @default { first: "1s", longest: "1m" }
   */
  readonly retries?: { readonly first?: Duration; readonly longest?: Duration };
  /**
   * Time limit of one attempt. At its end the signal aborts, and the attempt has failed, whatever the handler returns
   * later. The retry, and the next event of the entity, wait until the handler has ended, for as long again at most: a
   * handler that ignores its signal for longer runs beside them. @default no limit
   */
  readonly handlerTimeout?: Duration;
  /** Stops the work when aborted, as `close` does, and aborts the signals of running handlers. */
  readonly signal?: AbortSignal;
}

/** Settings of a handler, complete and valid. */
export interface HandlerSettings {
  readonly machine: string;
  readonly handle: Handler<Change>;
  /** Types of the events to handle, sorted; empty for all. */
  readonly types: readonly string[];
  readonly concurrency: number;
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** Undefined for no limit. */
  readonly handlerMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

export const HANDLER_OPTIONS = ["on", "concurrency", "retries", "handlerTimeout", "signal"] as const;
export const LONGEST_DURATION_MS = 86_400_000;

const RETRIES: readonly (keyof NonNullable<HandlerOptions["retries"]>)[] = ["first", "longest"];

/** Checks a handler and its options, and fills in defaults. @throws ContractError if one is invalid. */
export async function readHandlerSettings(
  store: MachineStore,
  handler: Handler<never>,
  options: HandlerOptions,
): Promise<HandlerSettings> {
  if (typeof handler !== "function") refuse("the handler must be a function; it is called with each change");
  const { on, concurrency = 10, retries = {}, handlerTimeout, signal } = options;
  checkOptions(retries, RETRIES, "retries");
  checkSignal(signal);
  const { first = "1s", longest = "1m" } = retries;
  const firstDelayMs = checkDuration("retries.first", first, LONGEST_DURATION_MS);
  const longestDelayMs = checkDuration("retries.longest", longest, LONGEST_DURATION_MS);
  if (firstDelayMs > longestDelayMs) {
    refuse(`retries.first (${first}) is more than retries.longest (${longest}); increase longest`);
  }
  return {
    machine: store.location.machine,
    handle: handler as Handler<Change>,
    types: on === undefined ? [] : await checkEventTypes(store, on),
    concurrency: checkWhole("concurrency", concurrency, 1, 1000),
    firstDelayMs,
    longestDelayMs,
    handlerMs:
      handlerTimeout === undefined
        ? undefined
        : checkDuration("handlerTimeout", handlerTimeout, LONGEST_DURATION_MS),
    signal,
  };
}
