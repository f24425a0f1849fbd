import type { FieldValues, MachineDefinition, StateDefinition } from "./definition.js";
import { type Duration, durationMs } from "./duration.js";

const DEFAULT_HISTORY = 16;
const DEFAULT_KEEP = 100_000;

/** The fields that a timer writes, each as JSON text, which the server stores unchanged. */
export type FieldTexts = Readonly<Record<string, string>>;

/** Describes a state with all defaults, and durations in ms. */
export interface CompiledState {
  readonly to?: readonly string[];
  readonly event: string;
  readonly stamp?: string;
  readonly require?: readonly string[];
  readonly timeout?: { readonly after: number; readonly to: string; readonly set?: FieldTexts };
  readonly lease?: { readonly for: number; readonly to: string; readonly set?: FieldTexts };
  readonly retain?: number;
}

/** Describes a machine in the form that the server accepts. */
export interface CompiledMachine {
  readonly name: string;
  readonly version: number;
  readonly initial: string;
  readonly states: Readonly<Record<string, CompiledState>>;
  readonly history: number;
  readonly events: { readonly keep: number };
  /** All of the above as compact JSON. Equal definitions have equal texts. */
  readonly json: string;
}

/** Finds a state by its name, which may be a property that every object has, such as "constructor". */
export function stateOf({ states }: CompiledMachine, name: string): CompiledState | undefined {
  return Object.hasOwn(states, name) ? states[name] : undefined;
}

/** Compiles a definition that was checked before. */
export function compileValid(definition: MachineDefinition): CompiledMachine {
  const { name, version, initial, states, history, events, retain } = definition;
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

/** Sorts the fields, because their order has no meaning. */
function compileSet(set: FieldValues = {}): { set?: FieldTexts } {
  const fields = Object.keys(set).sort();
  if (fields.length === 0) return {};
  return { set: Object.fromEntries(fields.map((field) => [field, JSON.stringify(set[field])])) };
}
