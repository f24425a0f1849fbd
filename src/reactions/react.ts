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
} from "../contract/arguments.js";
import { type Change, readDocument } from "../contract/document.js";
import { ContractError } from "../errors/latchkey-error.js";
import type { CompiledMachine } from "../machine/compiled.js";
import type { Duration } from "../machine/duration.js";
import { MACHINE_NAME } from "../machine/names.js";
import { didYouMean } from "../machine/suggest.js";
import { askOnce } from "../valkey/ask.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { ReactionEnded } from "./ended.js";
import type { MissedEvents } from "./group.js";
import { Reaction } from "./reaction.js";
import type { Handler, ReactionSettings, TextHandler } from "./settings.js";

/** How a reaction works. Give all replicas the same. */
export interface ReactOptions {
  /**
   * The events to handle, such as `["agent.completed", "agent.failed"]`. The same in all replicas: where others live that
   * were given another one, `react` is refused, and needs another name. @default all
   */
  readonly on?: readonly string[];
  /**
   * Where a reaction begins that nobody has started before: with what happens from now on, or with the oldest change
   * that the log still holds. One that was started before goes on where it was. @default "end"
   */
  readonly from?: "start" | "end";
  /** How many handlers run at once in this replica, each for another entity. @default 10 */
  readonly concurrency?: number;
  /**
   * The pauses before an event is tried again: random, up to `first` after the first try, twice as long after each
   * further one, up to `longest`. @default { first: "1s", longest: "1m" }
   */
  readonly retries?: { readonly first?: Duration; readonly longest?: Duration };
  /** After so many tries an event goes to the dead letters. @default 10 */
  readonly deadLetterAfter?: number;
  /**
   * A replica that gave no sign of life for so long is taken for dead, and others handle its events. Signs are given by
   * itself while handlers run, but not while one blocks the process. @default "30s"
   */
  readonly takeOverAfter?: Duration;
  /** Ends the reaction when aborted, as `close` does, and tells the handlers that run by their own signal. */
  readonly signal?: AbortSignal;
  /** Called when the log was trimmed past events that nobody had handled. They are among the dead letters too. */
  readonly onMissed?: (missed: MissedEvents) => void;
}

const OPTIONS: ReadonlySet<string> = new Set<keyof ReactOptions>([
  "on",
  "from",
  "concurrency",
  "retries",
  "deadLetterAfter",
  "takeOverAfter",
  "signal",
  "onMissed",
]);
const DAY_MS = 86_400_000;
const RETRIES: ReadonlySet<string> = new Set<keyof NonNullable<ReactOptions["retries"]>>([
  "first",
  "longest",
]);

/** Starts this replica's part of a reaction. */
export async function react<S extends string>(
  { connection, location, definition }: MachineStore,
  name: string,
  handler: Handler<Change<S>>,
  options: ReactOptions,
): Promise<Reaction> {
  checkReaction(name);
  if (typeof handler !== "function") refuse("the handler must be a function; it is called with each change");
  const settings = settingsOf(definition, options);
  const handle: TextHandler = async (text, reacting) => handler(readDocument<Change<S>>(text), reacting);
  return askOnce(connection, `starting reaction ${name}`, () =>
    Reaction.start(connection, location, name, handle, settings, toCaller).catch((error: unknown) => {
      throw toCaller(error);
    }),
  );
}

function toCaller(error: unknown): unknown {
  return error instanceof ReactionEnded ? new ContractError(error.code, error.message) : error;
}

/** @throws ContractError where a name can't be one of a reaction */
export function checkReaction(name: string): string {
  return checkName({ ...MACHINE_NAME, kind: "reaction" }, name);
}

function settingsOf(definition: CompiledMachine, options: ReactOptions): ReactionSettings {
  checkOptions(options, OPTIONS);
  const { on = [], from = "end", concurrency = 10, retries = {}, deadLetterAfter = 10 } = options;
  checkList("on", on, " of events");
  checkOptions(retries, RETRIES, "retries");
  const { signal, onMissed } = options;
  checkSignal(signal);
  checkFunctions({ onMissed });
  const known = eventsOf(definition);
  const unknown = on.find((type) => !known.includes(type));
  if (unknown !== undefined) {
    const meant = typeof unknown === "string" ? didYouMean(unknown, known) : "";
    const others = meant === "" ? `; it has ${known.join(", ")}` : meant;
    refuse(`on: ${JSON.stringify(unknown)} is no event of ${definition.name}${others}`);
  }
  checkWord("from", from, ["start", "end"]);
  const { first = "1s", longest = "1m" } = retries;
  const firstPauseMs = checkDuration("retries.first", first, DAY_MS);
  const longestPauseMs = checkDuration("retries.longest", longest, DAY_MS);
  if (firstPauseMs > longestPauseMs)
    refuse(
      `retries.first, ${first}, is more than retries.longest, ${longest}; give a longest of at least that`,
    );
  return {
    from,
    types: [...new Set(on)].sort(),
    concurrency: checkWhole("concurrency", concurrency, 1, 1000),
    deadLetterAfter: checkWhole("deadLetterAfter", deadLetterAfter, 1, 1000),
    firstPauseMs,
    longestPauseMs,
    takeOverMs: checkDuration("takeOverAfter", options.takeOverAfter ?? "30s", DAY_MS),
    signal,
    onMissed,
  };
}

function eventsOf({ name, states }: CompiledMachine): string[] {
  const entered = Object.entries(states).map(([state, { event = `${name}.${state}` }]) => event);
  return [...new Set([...entered, `${name}.updated`, `${name}.removed`])];
}
