import type { Duration } from "./duration.js";
import type { JsonValue } from "./json-value.js";

/** The fields that a timeout or a lease writes when it fires, like the `set` of a call. */
export type FieldValues = Readonly<Record<string, JsonValue>>;

/** Moves an entity to another state after a time. It fires only if a sweep runs: `agents.sweep()`, `latchkey sweep`. */
export interface TimeoutDefinition<S extends string = string> {
  /** Time from entry until it fires. */
  readonly after: Duration;
  /** The next state, which must be in the `to` of this state. */
  readonly to: S;
  /** Fields to write; must contain all fields that `to` requires. */
  readonly set?: FieldValues;
}

/**
 * Moves an entity to another state when its heartbeats stop; see `agents.hold()`. It fires only if a sweep runs. If a newer
 * version of a machine adds or shortens a lease, the lease counts from the next sweep of the entity: let holders send
 * heartbeats often enough before you apply that version.
 */
export interface LeaseDefinition<S extends string = string> {
  /** Length of the lease from entry or from a heartbeat. */
  readonly for: Duration;
  /** The next state, which must be in the `to` of this state. */
  readonly to: S;
  /** Fields to write; must contain all fields that `to` requires. */
  readonly set?: FieldValues;
}

/** Defines one state of a machine. A state without `to` is final. */
export interface StateDefinition<S extends string = string, E extends string = string> {
  /** The possible next states. Without any, the state is final. */
  readonly to?: readonly S[];
  /** Event of entering the state; not `<machine>.updated` or `.removed`. @default `<machine>.<state>` */
  readonly event?: E;
  /** Field that is set to the server's time at the first entry. */
  readonly stamp?: string;
  /** Fields that must be present on entry, set now or before; at most 64. */
  readonly require?: readonly string[];
  /** Fires after a time in the state. Not allowed in a final state. */
  readonly timeout?: TimeoutDefinition<S>;
  /** Fires when heartbeats stop. Not allowed in a final state. */
  readonly lease?: LeaseDefinition<S>;
  /** Time from entry after which a sweep removes the entity. Allowed only in a final state. */
  readonly retain?: Duration;
}

/**
 * Defines a machine as data, for `defineMachine` and in machine files.
 *
 * `S` is the union of its state names, inferred from the keys of `states`; `N` is its name; `E` is the union of the
 * events of its states.
 */
export interface MachineDefinition<
  S extends string = string,
  N extends string = string,
  E extends string = string,
> {
  /** Location of the JSON Schema, for editors; has no effect. */
  readonly $schema?: string;
  /** `[a-z][a-z0-9-]{0,31}` */
  readonly name: N;
  /** 1 or more; increase it with every change of the definition. */
  readonly version: number;
  /** The state of a new entity. */
  readonly initial: NoInfer<S>;
  /** 1 to 64 states. */
  readonly states: { readonly [K in S]: StateDefinition<NoInfer<S>, E> };
  /** Number of changes in the history of each entity, 1 to 1000. @default 16 */
  readonly history?: number;
  /** The event log: `keep` is its number of changes of all entities, 1 to 10,000,000. @default 100000 */
  readonly events?: { readonly keep: number };
  /** Retention of every final state without its own. @default never removed */
  readonly retain?: Duration;
}

/** A checked, frozen definition with typed states and events, as `defineMachine` returns it. */
export type Machine<
  S extends string = string,
  N extends string = string,
  E extends string = string,
> = MachineDefinition<S, N, E>;

/** Infers the event names in a definition as `E`: state to name, unknown if the state has the default one. */
export interface EventNames<E> {
  readonly states: { readonly [K in keyof E]: { readonly event?: E[K] } };
}

/** Derives the events of entering each state. */
export type StateEvent<S extends string, N extends string, E> = {
  [K in S]: K extends keyof E ? (E[K] extends string ? E[K] : `${N}.${K}`) : `${N}.${K}`;
}[S];

/** Derives all event types of a machine from its name `N` and the events `E` of its states. */
export type EventType<N extends string, E extends string> = E | `${N}.${"updated" | "removed" | "restored"}`;

/**
 * Derives the union of a machine's event types; any text if only its states are known.
 *
 * @example
 * type Event = EventOf<typeof order>; // "order.open" | "order.paid" | "order.updated" | …
 */
export type EventOf<M extends MachineDefinition | string> = M extends string
  ? string
  : M extends MachineDefinition<string, infer N>
    ? EventType<N, { [K in StateOf<M>]: EnteringEvent<N, K, M["states"][K]> }[StateOf<M>]>
    : never;

/** Derives the event of entering one state, from its definition `D`: a literal, or one that `defineMachine` checked. */
type EnteringEvent<N extends string, K extends string, D> = "event" extends keyof D
  ? NonNullable<D["event"]> & string
  : `${N}.${K}`;

/**
 * Derives the union of a machine's state names. A union of state names stays as it is.
 *
 * @example
 * type State = StateOf<typeof order>; // "open" | "paid" | "shipped"
 */
export type StateOf<M extends MachineDefinition | string> = M extends MachineDefinition
  ? keyof M["states"] & string
  : M & string;
