import type { FieldMap } from "../../history/records.js";
import type { Call, ParsedObservation } from "../facts.js";
import { changedFields } from "../field-map.js";
import type { MachineRules } from "../machine-rules.js";
import { FARTHEST_AHEAD_MS } from "../witness/log.js";
import type { KnownVersions } from "./known-versions.js";

/** Holds an entity as far as callers have received it. Undefined means unknown. */
export interface EntityState {
  readonly state: string;
  readonly version: number;
  readonly timestamp: number | undefined;
  readonly since: number | undefined;
  readonly created: number | undefined;
  /** A stamp of unknown value is undefined. */
  readonly fields: FieldMap;
}

/** Nothing is known of the entity, because a segment begins in its life. */
export const ANYTHING = Symbol("anything");
/** The entity does not exist. */
export const ABSENT = Symbol("absent");
export type State = typeof ANYTHING | typeof ABSENT | EntityState;

/** A change that was applied, or may have been, in a segment. */
export interface Write {
  readonly kind: "write";
  readonly call: Call;
  readonly from: number;
  /** Infinity if it may never have been applied. */
  readonly until: number;
  /** It was not applied later: its caller stopped, or received a final rejection. */
  readonly latest: number;
  /** Its document, if its own call reported it. */
  readonly document: ParsedObservation | undefined;
  readonly version: number | undefined;
  /** Creation time of the life that it belongs to, if known. */
  readonly created: number | undefined;
}

/** A call that received the entity. */
export interface Read {
  readonly kind: "read";
  readonly call: Call;
  readonly from: number;
  readonly until: number;
  readonly observation: ParsedObservation | undefined;
}

export type Step = Write | Read;

/** Models one entity of a machine. Known versions restrict what may have happened. */
export class Model {
  readonly #machine: MachineRules;
  readonly #known: KnownVersions;
  /** Number of reads of each version that are not ordered yet. Until then the version must not change. */
  readonly #readsAhead: Map<string, number>;

  constructor(machine: MachineRules, known: KnownVersions) {
    this.#machine = machine;
    this.#known = known;
    this.#readsAhead = new Map(known.readCounts);
  }

  /** Records that a step was ordered. */
  put(step: Step): void {
    this.#expect(step, -1);
  }

  /** Records that a step is no longer ordered. */
  takeBack(step: Step): void {
    this.#expect(step, 1);
  }

  #expect(step: Step, more: number): void {
    if (step.kind === "write" || step.observation === undefined) return;
    const place = this.#known.versionKeyOf(step.observation.created, step.observation.version);
    if (place !== undefined) this.#readsAhead.set(place, (this.#readsAhead.get(place) ?? 0) + more);
  }

  /** Returns true if a later step reads this version, or one that the change makes impossible. */
  #isAwaited({ created, version }: EntityState, { operation }: Call): boolean {
    const place = this.#known.versionKeyOf(created, version);
    if (created === undefined || place === undefined) return false;
    if ((this.#readsAhead.get(place) ?? 0) > 0) return true;
    return operation === "remove" && (this.#known.last.get(created) ?? 0) > version;
  }

  /** Returns the entity after a step, or undefined if the step cannot happen now. */
  after(state: State, step: Step): State | undefined {
    return step.kind === "read" ? this.#read(state, step.observation) : this.#write(state, step);
  }

  #read(state: State, observation: ParsedObservation | undefined): State | undefined {
    if (observation === undefined) return state === ANYTHING || state === ABSENT ? ABSENT : undefined;
    if (state === ANYTHING) return observation;
    return state !== ABSENT && agrees(state, observation) ? observation : undefined;
  }

  #write(state: State, write: Write): State | undefined {
    const { call, document, version, until } = write;
    if (state === ANYTHING) {
      // A step that may not have happened restricts nothing here, so it need not be tried.
      if (until === Number.POSITIVE_INFINITY) return undefined;
      if (call.operation === "remove") return ABSENT;
      return document ?? ANYTHING;
    }
    const life = state === ABSENT ? undefined : state;
    if (!this.#allows(life, call) || (life !== undefined && this.#isAwaited(life, call))) return undefined;
    const next = this.#next(life, call);
    if (version !== undefined && version !== next.version) return undefined;
    const place = this.#known.versionKeyOf(next.created, next.version) ?? "";
    const maker = this.#known.makers.get(place);
    if (maker !== undefined && maker !== write) return undefined;
    const fits = (shown: ParsedObservation): boolean =>
      agrees(dated(next, shown), shown) && follows(life, shown);
    if (document !== undefined && !fits(document)) return undefined;
    if (call.operation === "remove") return ABSENT;
    if (document !== undefined) return document;
    const shown = this.#known.observations.get(place);
    // A change at an unknown time may have corrected the time of entry.
    if (shown === undefined) return { ...next, since: undefined };
    return fits(shown) ? shown : undefined;
  }

  #allows(life: EntityState | undefined, { operation, to = "", ifVersion, ifState, force }: Call): boolean {
    if (life === undefined) return operation === "create";
    if (operation === "create") return false;
    if (ifVersion !== undefined && ifVersion !== life.version) return false;
    if (ifState !== undefined && ifState !== life.state) return false;
    return operation !== "transition" || force || this.#machine.leads(life.state, to);
  }

  #next(life: EntityState | undefined, { operation, to = "", set, unset }: Call): EntityState {
    const machine = this.#machine;
    const enters = operation === "create" || operation === "transition";
    const state = operation === "transition" ? to : (life?.state ?? machine.initial);
    // The document of a removal has no own fields.
    const changed = operation === "remove" ? {} : changedFields(life?.fields ?? {}, set, unset);
    const stamp = enters ? machine.stampOf(state) : undefined;
    const isNew = stamp !== undefined && !Object.hasOwn(changed, stamp);
    const fields = isNew ? { ...changed, [stamp]: undefined } : changed;
    const since = enters ? undefined : life?.since;
    const version = (life?.version ?? 0) + 1;
    return { state, version, timestamp: undefined, since, created: life?.created, fields };
  }
}

/** Returns true if time does not decrease, unless the clock has been corrected. */
function follows(life: EntityState | undefined, { timestamp }: ParsedObservation): boolean {
  if (life?.timestamp === undefined || life.timestamp <= timestamp) return true;
  return life.timestamp - timestamp > FARTHEST_AHEAD_MS;
}

/** Returns the entity after a change at a known time. The time of entry is corrected if it is dated ahead. */
function dated(next: EntityState, { timestamp }: ParsedObservation): EntityState {
  return next.since === undefined || next.since <= timestamp ? next : { ...next, since: timestamp };
}

/** Returns true if a received document agrees with the entity, as far as it is known. */
export function agrees(life: EntityState, observation: ParsedObservation): boolean {
  if (life.version !== observation.version || life.state !== observation.state) return false;
  for (const time of ["timestamp", "since", "created"] as const) {
    if (life[time] !== undefined && life[time] !== observation[time]) return false;
  }
  for (const field in observation.fields) if (!Object.hasOwn(life.fields, field)) return false;
  for (const field in life.fields) {
    const [known, shown] = [life.fields[field], observation.fields[field]];
    if (!Object.hasOwn(observation.fields, field)) return false;
    if (known !== undefined && known !== shown && JSON.stringify(known) !== JSON.stringify(shown))
      return false;
  }
  return true;
}
