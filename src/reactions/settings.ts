import {
  checkDuration,
  checkFunctions,
  checkName,
  checkOptions,
  checkWhole,
  checkWord,
} from "../contract/arguments.js";
import type { Duration } from "../machine/duration.js";
import { MACHINE_NAME } from "../machine/names.js";
import type { MachineStore } from "../valkey/machine-store.js";
import {
  HANDLER_OPTIONS,
  type Handler,
  type HandlerOptions,
  type HandlerSettings,
  LONGEST_DURATION_MS,
  readHandlerSettings,
} from "./handler-settings.js";

/** Events of a reaction that were trimmed from the log before they were handled. */
export interface MissedEvents {
  readonly partition: number;
  /** The missed events have IDs after this one in the partition's stream, up to `to`. */
  readonly from: string;
  readonly to: string;
  /** Number of missed events; undefined if the server cannot determine it. */
  readonly count: number | undefined;
}

/** Options of `react`. Give all replicas the same. */
export interface ReactOptions<E extends string = string> extends HandlerOptions<E> {
  /**
   * Types of the events to handle, such as `["agent.completed", "agent.failed"]`. Each must be an event of the machine, in
   * the definition of this program or in the installed one. An empty list is rejected. All running replicas of a reaction
   * must use the same list: `react` rejects another one. @default all
   */
  readonly on?: readonly E[];
  /**
   * Start position of a new reaction: only changes from now on, or the oldest change in the log. A reaction that exists
   * continues at its own position. @default "end"
   */
  readonly from?: "start" | "end";
  /**
   * Number of attempts after which an event becomes a dead letter. An attempt during which the process crashed counts only if
   * no other handler ran. @default 10
   */
  readonly deadLetterAfter?: number;
  /**
   * Time between an event and its handling, by the server's clock. Events that are trimmed from the log before they are due
   * are missed, so `events.keep` of the machine must cover this time. @default 0
   */
  readonly delay?: Duration;
  /**
   * Time without a heartbeat after which the events of a replica are reassigned. Heartbeats are sent automatically while
   * handlers run, but not while a handler blocks the process. @default "30s"
   */
  readonly takeOverAfter?: Duration;
  /** Called if the log was trimmed before events in it were handled. They are listed among the dead letters too. */
  readonly onMissed?: (missed: MissedEvents) => void;
}

/** Settings of a reaction, complete and valid. */
export interface ReactionSettings extends HandlerSettings {
  readonly name: string;
  readonly from: "start" | "end";
  readonly deadLetterAfter: number;
  /** Time between an event and its handling; 0 for none. */
  readonly delayMs: number;
  readonly takeOverMs: number;
  readonly onMissed: ((missed: MissedEvents) => void) | undefined;
}

/** Names of the options of `react`. */
export const OPTIONS: readonly (keyof ReactOptions)[] = [
  ...HANDLER_OPTIONS,
  "from",
  "deadLetterAfter",
  "delay",
  "takeOverAfter",
  "onMissed",
];
const LONGEST_DELAY_MS = 30 * 86_400_000;

/** Checks the name of a reaction. @throws ContractError if it is invalid. */
export function checkReactionName(name: string): string {
  return checkName({ ...MACHINE_NAME, kind: "reaction" }, name);
}

/** Checks the arguments of `react` and fills in defaults. @throws ContractError if one is invalid. */
export async function readSettings(
  store: MachineStore,
  name: string,
  handler: Handler<never>,
  options: ReactOptions,
): Promise<ReactionSettings> {
  checkReactionName(name);
  checkOptions(options, OPTIONS);
  const { from = "end", deadLetterAfter = 10, delay = 0, takeOverAfter = "30s", onMissed } = options;
  checkFunctions({ onMissed });
  checkWord("from", from, ["start", "end"]);
  return {
    ...(await readHandlerSettings(store, handler, options)),
    name,
    from,
    deadLetterAfter: checkWhole("deadLetterAfter", deadLetterAfter, 1, 1000),
    delayMs: delay === 0 ? 0 : checkDuration("delay", delay, LONGEST_DELAY_MS),
    takeOverMs: checkDuration("takeOverAfter", takeOverAfter, LONGEST_DURATION_MS),
    onMissed,
  };
}
