import {
  checkDuration,
  checkFunctions,
  checkList,
  checkName,
  checkOptions,
  checkSignal,
  checkWhole,
  checkWord,
  refuse,
  shortText,
} from "../contract/arguments.js";
import type { Change } from "../contract/document.js";
import type { CompiledMachine } from "../machine/compiled.js";
import type { Duration } from "../machine/duration.js";
import { MACHINE_NAME } from "../machine/names.js";
import { didYouMean } from "../machine/suggest.js";

/** Events of a reaction that were trimmed from the log before they were handled. */
export interface MissedEvents {
  readonly partition: number;
  /** The missed events have IDs after this one in the partition's stream, up to `to`. */
  readonly from: string;
  readonly to: string;
  /** Number of missed events; undefined if the server cannot determine it. */
  readonly count: number | undefined;
}

/** Information about the current attempt, passed to a handler beside the change. */
export interface HandlerContext {
  /** Number of this attempt, from 1. A crash of a replica counts as an attempt, a graceful shutdown does not. */
  readonly attempt: number;
  /**
   * Aborted when the handler exceeds `handlerTimeout` (the reason has the code `TIMEDOUT`), when the event was reassigned
   * to another replica, or when the reaction stops at once.
   */
  readonly signal: AbortSignal;
}

/** Handles one event. If it throws or rejects, the event is retried later. */
export type Handler<C> = (change: C, context: HandlerContext) => void | Promise<void>;

/** Options of `react`. Give all replicas the same. */
export interface ReactOptions {
  /**
   * Types of the events to handle, such as `["agent.completed", "agent.failed"]`. All running replicas must use the same
   * list: `react` rejects another one. @default all
   */
  readonly on?: readonly string[];
  /**
   * Start position of a new reaction: only changes from now on, or the oldest change in the log. A reaction that exists
   * continues at its own position. @default "end"
   */
  readonly from?: "start" | "end";
  /** Number of handlers that run at once in this replica, each for another entity. @default 10 */
  readonly concurrency?: number;
  /**
   * Delay before a retry: exponential backoff with full jitter, starting at `first`, capped at `longest`.
   * @default { first: "1s", longest: "1m" }
   */
  readonly retries?: { readonly first?: Duration; readonly longest?: Duration };
  /** Number of attempts after which an event becomes a dead letter. @default 10 */
  readonly deadLetterAfter?: number;
  /**
   * Time between an event and its handling, by the server's clock. Events that are trimmed from the log before they are due
   * are missed, so `events.keep` of the machine must cover this time. @default 0
   */
  readonly delay?: Duration;
  /**
   * Time limit of one attempt. At its end the signal aborts, and the attempt has failed, whatever the handler returns
   * later. The retry, and the next event of the entity, wait until the handler has ended, for as long again at most: a
   * handler that ignores its signal for longer runs beside them. @default no limit
   */
  readonly handlerTimeout?: Duration;
  /**
   * Time without a heartbeat after which the events of a replica are reassigned. Heartbeats are sent automatically while
   * handlers run, but not while a handler blocks the process. @default "30s"
   */
  readonly takeOverAfter?: Duration;
  /** Stops the reaction when aborted, as `close` does, and aborts the signals of running handlers. */
  readonly signal?: AbortSignal;
  /** Called if the log was trimmed before events in it were handled. They are listed among the dead letters too. */
  readonly onMissed?: (missed: MissedEvents) => void;
}

/** Settings of a reaction, complete and valid. */
export interface ReactionSettings {
  readonly machine: string;
  readonly name: string;
  /** A method, so that handlers of a machine's own states fit. */
  handle(change: Change, context: HandlerContext): void | Promise<void>;
  readonly from: "start" | "end";
  /** Types of the events to handle, sorted; empty for all. */
  readonly types: readonly string[];
  readonly concurrency: number;
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  readonly deadLetterAfter: number;
  /** Time between an event and its handling; 0 for none. */
  readonly delayMs: number;
  /** Undefined for no limit. */
  readonly handlerMs: number | undefined;
  readonly takeOverMs: number;
  readonly signal: AbortSignal | undefined;
  readonly onMissed: ((missed: MissedEvents) => void) | undefined;
}

const OPTIONS: readonly (keyof ReactOptions)[] = [
  "on",
  "from",
  "concurrency",
  "retries",
  "deadLetterAfter",
  "delay",
  "handlerTimeout",
  "takeOverAfter",
  "signal",
  "onMissed",
];
const RETRIES: readonly (keyof NonNullable<ReactOptions["retries"]>)[] = ["first", "longest"];
const LONGEST_DURATION_MS = 86_400_000;
const LONGEST_DELAY_MS = 30 * 86_400_000;

/** Checks the name of a reaction. @throws ContractError if it is invalid. */
export function checkReactionName(name: string): string {
  return checkName({ ...MACHINE_NAME, kind: "reaction" }, name);
}

/** Checks the arguments of `react` and fills in defaults. @throws ContractError if one is invalid. */
export function readSettings(
  machine: CompiledMachine,
  name: string,
  handler: ReactionSettings["handle"],
  options: ReactOptions,
): ReactionSettings {
  checkReactionName(name);
  if (typeof handler !== "function") refuse("the handler must be a function; it is called with each change");
  checkOptions(options, OPTIONS);
  const { on = [], from = "end", concurrency = 10, retries = {}, deadLetterAfter = 10 } = options;
  const { delay, handlerTimeout, takeOverAfter = "30s", signal, onMissed } = options;
  checkList("on", on, " of events");
  checkOptions(retries, RETRIES, "retries");
  checkSignal(signal);
  checkFunctions({ onMissed });
  const known = eventsOf(machine);
  const unknown = on.find((type) => !known.includes(type));
  if (unknown !== undefined) {
    const suggestion = didYouMean(String(unknown), known) || `; ${machine.name} has ${known.join(", ")}`;
    refuse(`on: unknown event ${shortText(unknown)}${suggestion}`);
  }
  checkWord("from", from, ["start", "end"]);
  const { first = "1s", longest = "1m" } = retries;
  const firstDelayMs = checkDuration("retries.first", first, LONGEST_DURATION_MS);
  const longestDelayMs = checkDuration("retries.longest", longest, LONGEST_DURATION_MS);
  if (firstDelayMs > longestDelayMs) {
    refuse(`retries.first (${first}) is more than retries.longest (${longest}); increase longest`);
  }
  return {
    machine: machine.name,
    name,
    handle: handler,
    from,
    types: [...new Set(on)].sort(),
    concurrency: checkWhole("concurrency", concurrency, 1, 1000),
    deadLetterAfter: checkWhole("deadLetterAfter", deadLetterAfter, 1, 1000),
    firstDelayMs,
    longestDelayMs,
    delayMs: delay === undefined ? 0 : checkDuration("delay", delay, LONGEST_DELAY_MS),
    handlerMs:
      handlerTimeout === undefined
        ? undefined
        : checkDuration("handlerTimeout", handlerTimeout, LONGEST_DURATION_MS),
    takeOverMs: checkDuration("takeOverAfter", takeOverAfter, LONGEST_DURATION_MS),
    signal,
    onMissed,
  };
}

function eventsOf({ name, states }: CompiledMachine): string[] {
  const entered = Object.entries(states).map(([state, { event = `${name}.${state}` }]) => event);
  return [...new Set([...entered, `${name}.updated`, `${name}.removed`])];
}
