import type { Duration } from "./duration.js";
import type { JsonValue } from "./json-value.js";

/** Fields a timeout or lease writes when it fires, as a caller's `set` would. */
export type FieldValues = Readonly<Record<string, JsonValue>>;

/** Moves an entity on when it stayed too long in a state. Fires where a sweep runs: `agents.sweep()`, `latchkey sweep`. */
export interface TimeoutDefinition<S extends string = string> {
  /** How long after entering the state it fires. */
  readonly after: Duration;
  /** Where the entity goes: one of the state's own `to`. */
  readonly to: S;
  /** Fields to write; holds at least every field that `to` requires. */
  readonly set?: FieldValues;
}

/**
 * Moves an entity on when its heartbeats stop; see `agents.hold()`. Fires where a sweep runs. A newer version of a
 * machine that brings a lease, or a shorter one, counts it from when a sweep comes to the entity: let holders send
 * heartbeats often enough before.
 */
export interface LeaseDefinition<S extends string = string> {
  /** How long one heartbeat (or entering the state) is good for. */
  readonly for: Duration;
  /** Where the entity goes: one of the state's own `to`. */
  readonly to: S;
  /** Fields to write; holds at least every field that `to` requires. */
  readonly set?: FieldValues;
}

/** One state of a machine. A state without `to` is final. */
export interface StateDefinition<S extends string = string> {
  /** States an entity may move to from here. None makes the state final. */
  readonly to?: readonly S[];
  /** Name of the event of entering the state; no `<machine>.updated` or `.removed`. @default `<machine>.<state>` */
  readonly event?: string;
  /** Field that gets the server's time on first entry and keeps it. */
  readonly stamp?: string;
  /** Fields that must be present on entry, set now or before; at most 16. */
  readonly require?: readonly string[];
  /** Fires a while after entry. Not on a final state. */
  readonly timeout?: TimeoutDefinition<S>;
  /** Fires when heartbeats stop. Not on a final state. */
  readonly lease?: LeaseDefinition<S>;
  /** Final states only: a sweep removes the entity this long after entry. */
  readonly retain?: Duration;
}

/**
 * A machine as data: what `defineMachine` takes, what a machine file holds.
 *
 * `S` is the union of its state names, inferred from the keys of `states` alone; `N` its name.
 */
export interface MachineDefinition<S extends string = string, N extends string = string> {
  /** Where the JSON Schema is, for editors; has no effect. */
  readonly $schema?: string;
  /** `[a-z][a-z0-9-]{0,31}` */
  readonly name: N;
  /** 1 or more; raise it with every change of content. */
  readonly version: number;
  /** The state a new entity enters. */
  readonly initial: NoInfer<S>;
  /** 1 to 64 states. */
  readonly states: { readonly [K in S]: StateDefinition<NoInfer<S>> };
  /** Changes remembered for each entity, 1 to 1000. @default 16 */
  readonly history?: number;
  /** The durable log: `keep` is how many changes of all entities it holds, 1 to 10,000,000. @default 100000 */
  readonly events?: { readonly keep: number };
  /** Retention of every final state that names none itself. @default kept for ever */
  readonly retain?: Duration;
}

/** A validated, frozen definition that knows its states: what `defineMachine` returns. */
export type Machine<S extends string = string, N extends string = string> = MachineDefinition<S, N>;

/**
 * The union of a machine's state names.
 *
 * @example
 * type State = StateOf<typeof order>; // "open" | "paid" | "shipped"
 */
export type StateOf<M extends MachineDefinition> = keyof M["states"] & string;
