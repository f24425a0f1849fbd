import { checkedMachine } from "./define.js";
import type { FieldValues, MachineDefinition, StateDefinition } from "./definition.js";
import { type Duration, durationMs } from "./duration.js";
import { isObject } from "./json-value.js";
import { MachineDefinitionError } from "./problem.js";

const DEFAULT_HISTORY = 16;
const DEFAULT_KEEP = 100_000;

/** Fields a deadline writes, each as its JSON text: the server stores it as it is and never re-encodes it. */
export type FieldTexts = Readonly<Record<string, string>>;

/** A state with its defaults filled in and durations in ms. */
export interface CompiledState {
  readonly to?: readonly string[];
  readonly event: string;
  readonly stamp?: string;
  readonly require?: readonly string[];
  readonly timeout?: { readonly after: number; readonly to: string; readonly set?: FieldTexts };
  readonly lease?: { readonly for: number; readonly to: string; readonly set?: FieldTexts };
  readonly retain?: number;
}

/** A machine in the one form the server takes. */
export interface CompiledMachine {
  readonly name: string;
  readonly version: number;
  readonly initial: string;
  readonly states: Readonly<Record<string, CompiledState>>;
  readonly history: number;
  readonly events: { readonly keep: number };
  /** All of the above as compact JSON: the same text for the same definition, always. */
  readonly json: string;
}

/**
 * Brings a definition into the form the server takes: every default explicit, durations in ms, the machine's
 * `retain` on each final state that has none, properties in a fixed order.
 *
 * @throws MachineDefinitionError when the definition is invalid
 * @example
 * compileMachine(agent()).json; // {"name":"agent","version":1,"initial":"spawning","states":{…
 */
export function compileMachine(definition: MachineDefinition): CompiledMachine {
  const { name, version, initial, states, history, events, retain } = checkedMachine(definition);
  const form = {
    name,
    version,
    initial,
    states: Object.fromEntries(
      Object.entries(states).map(([state, defined]) => [
        state,
        compileState(`${name}.${state}`, defined, retain),
      ]),
    ),
    history: history ?? DEFAULT_HISTORY,
    events: { keep: events?.keep ?? DEFAULT_KEEP },
  };
  return { ...form, json: JSON.stringify(form) };
}

function compileState(defaultEvent: string, state: StateDefinition, retain?: Duration): CompiledState {
  const { to = [], event = defaultEvent, stamp, require = [], timeout, lease } = state;
  const kept = to.length === 0 ? (state.retain ?? retain) : undefined;
  return {
    ...(to.length > 0 && { to }),
    event,
    ...(stamp !== undefined && { stamp }),
    ...(require.length > 0 && { require }),
    ...(timeout && {
      timeout: { after: durationMs(timeout.after), to: timeout.to, ...compileSet(timeout.set) },
    }),
    ...(lease && { lease: { for: durationMs(lease.for), to: lease.to, ...compileSet(lease.set) } }),
    ...(kept !== undefined && { retain: durationMs(kept) }),
  };
}

/** Sorted by field, since their order means nothing. */
function compileSet(set: FieldValues = {}): { set?: FieldTexts } {
  const fields = Object.keys(set).sort();
  if (fields.length === 0) return {};
  return { set: Object.fromEntries(fields.map((field) => [field, JSON.stringify(set[field])])) };
}

/**
 * Reads a compiled machine back from its JSON text, such as the one a server holds.
 *
 * @param json the text of `CompiledMachine.json`, by this or another client
 * @returns the machine; its `json` is the text as given
 * @throws MachineDefinitionError when the text is no compiled machine
 */
export function parseCompiledMachine(json: string): CompiledMachine {
  let form: unknown;
  try {
    form = withSetValues(JSON.parse(json));
  } catch (cause) {
    const message = `is no compiled machine: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new MachineDefinitionError([{ path: "", message }]);
  }
  return { ...compileMachine(checkedMachine(form)), json };
}

/** The compiled form with the JSON texts of each `set` as values again: a definition, if all is well. */
function withSetValues(form: unknown): unknown {
  if (!isObject(form) || !isObject(form.states)) return form;
  const states = mapValues(form.states, (state) =>
    isObject(state)
      ? mapValues(state, (part, name) => (name === "timeout" || name === "lease" ? withValues(part) : part))
      : state,
  );
  return { ...form, states };
}

function withValues(deadline: unknown): unknown {
  if (!isObject(deadline) || !isObject(deadline.set)) return deadline;
  return { ...deadline, set: mapValues(deadline.set, (text) => JSON.parse(String(text))) };
}

function mapValues(object: object, change: (value: unknown, key: string) => unknown): object {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]));
}
