import { checkName, checkOptions } from "../contract/arguments.js";
import { type Change, readDocument } from "../contract/document.js";
import { ContractError } from "../errors/latchkey-error.js";
import type { CompiledMachine } from "../machine/compiled.js";
import { type Duration, readDuration } from "../machine/duration.js";
import { MACHINE_NAME } from "../machine/names.js";
import { didYouMean } from "../machine/suggest.js";
import { told } from "../valkey/ask.js";
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
  return told(connection, `starting reaction ${name}`, () =>
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
  if (!isObject(options)) refuse('options must be an object, such as { on: ["agent.completed"] }');
  checkOptions(options, OPTIONS);
  const { on = [], from = "end", concurrency = 10, retries = {}, deadLetterAfter = 10 } = options;
  if (!Array.isArray(on)) refuse(`on must be a list of events${like(on)}`);
  if (!isObject(retries)) refuse('retries must be an object, such as { first: "1s", longest: "1m" }');
  checkOptions(retries, RETRIES);
  const { signal, onMissed } = options;
  if (signal !== undefined && typeof signal?.addEventListener !== "function")
    refuse("signal must be an AbortSignal: of an AbortController, its signal");
  if (onMissed !== undefined && typeof onMissed !== "function") refuse("onMissed must be a function");
  const known = eventsOf(definition);
  const unknown = on.find((type) => !known.includes(type));
  if (unknown !== undefined) {
    const meant = typeof unknown === "string" ? didYouMean(unknown, known) : "";
    const others = meant === "" ? `; it has ${known.join(", ")}` : meant;
    refuse(`on: ${JSON.stringify(unknown)} is no event of ${definition.name}${others}`);
  }
  if (from !== "start" && from !== "end") refuse('from must be "start" or "end"');
  const { first = "1s", longest = "1m" } = retries;
  const firstPauseMs = duration("retries.first", first);
  const longestPauseMs = duration("retries.longest", longest);
  if (firstPauseMs > longestPauseMs)
    refuse(
      `retries.first, ${first}, is more than retries.longest, ${longest}; give a longest of at least that`,
    );
  return {
    from,
    types: [...new Set(on)].sort(),
    concurrency: count("concurrency", concurrency, 1000),
    deadLetterAfter: count("deadLetterAfter", deadLetterAfter, 1000),
    firstPauseMs,
    longestPauseMs,
    takeOverMs: duration("takeOverAfter", options.takeOverAfter ?? "30s"),
    signal,
    onMissed,
  };
}

function eventsOf({ name, states }: CompiledMachine): string[] {
  const entered = Object.entries(states).map(([state, { event = `${name}.${state}` }]) => event);
  return [...new Set([...entered, `${name}.updated`, `${name}.removed`])];
}

function count(what: string, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  refuse(`${what} must be a whole number from 1 to ${most}`);
}

function duration(what: string, value: Duration): number {
  const read = readDuration(value);
  if ("problem" in read) refuse(`${what}: ${JSON.stringify(value)} ${read.problem}`);
  if (read.ms > 86_400_000) refuse(`${what} must be one day at most`);
  return read.ms;
}

/** The compiler sees to it, but not in JavaScript. */
function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function like(on: unknown): string {
  return typeof on === "string" ? `: [${JSON.stringify(on)}]` : "";
}

function refuse(text: string): never {
  throw new ContractError("BADARG", text);
}
