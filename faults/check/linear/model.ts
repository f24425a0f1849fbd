import type { FieldMap } from "../../history/records.js";
import type { Call, ParsedObservation } from "../facts.js";
import { changedFields } from "../field-map.js";
import type { MachineRules } from "../machine-rules.js";
import type { KnownVersions } from "./known-versions.js";

/** An entity as a caller would see it, as far as callers were shown; undefined is what nobody was shown. */
export interface EntityState {
  readonly state: string;
  readonly version: number;
  readonly timestamp: number | undefined;
  readonly since: number | undefined;
  readonly created: number | undefined;
  /** A stamp that nobody was shown has the value undefined. */
  readonly fields: FieldMap;
}

/** Nothing is known of the entity: a segment of a history begins in its midst. */
export const ANYTHING = Symbol("anything");
/** There is no such entity. */
export const ABSENT = Symbol("absent");
export type State = typeof ANYTHING | typeof ABSENT | EntityState;

/** A change that was made, or may have been, within a segment of time. */
export interface Write {
  readonly kind: "write";
  readonly call: Call;
  readonly from: number;
  /** Infinity: it may never have been made. */
  readonly until: number;
  /** If it was made, not after this: its caller has given up, or was told of a refusal, and that is final. */
  readonly latest: number;
  /** What its caller was told that it made. */
  readonly made: ParsedObservation | undefined;
  readonly version: number | undefined;
  /** Of the entity's life that it was made in, if known. */
  readonly created: number | undefined;
}

/** A call that was shown the entity. */
export interface Read {
  readonly kind: "read";
  readonly call: Call;
  readonly from: number;
  readonly until: number;
  readonly seen: ParsedObservation | undefined;
}

export type Step = Write | Read;

/** One entity of a machine, and what callers were shown of each of its versions: narrows what may have happened. */
export class Model {
  readonly #machine: MachineRules;
  readonly #known: KnownVersions;
  /** How many readCounts of each version are still to come: until then it must not change. */
  readonly #readsAhead: Map<string, number>;

  constructor(machine: MachineRules, known: KnownVersions) {
    this.#machine = machine;
    this.#known = known;
    this.#readsAhead = new Map(known.readCounts);
  }

  /** The step has been put in order. */
  put(step: Step): void {
    this.#expect(step, -1);
  }

  /** The step is still to come, after all. */
  takeBack(step: Step): void {
    this.#expect(step, 1);
  }

  #expect(step: Step, more: number): void {
    if (step.kind === "write" || step.seen === undefined) return;
    const place = this.#known.versionKeyOf(step.seen.created, step.seen.version);
    if (place !== undefined) this.#readsAhead.set(place, (this.#readsAhead.get(place) ?? 0) + more);
  }

  /** Whether somebody is still to see this very version, or one that this change makes impossible. */
  #isAwaited({ created, version }: EntityState, { operation }: Call): boolean {
    const place = this.#known.versionKeyOf(created, version);
    if (created === undefined || place === undefined) return false;
    if ((this.#readsAhead.get(place) ?? 0) > 0) return true;
    return operation === "remove" && (this.#known.last.get(created) ?? 0) > version;
  }

  /** The entity after a step; undefined where it can't have happened now. */
  after(state: State, step: Step): State | undefined {
    return step.kind === "read" ? this.#see(state, step.seen) : this.#write(state, step);
  }

  #see(state: State, seen: ParsedObservation | undefined): State | undefined {
    if (seen === undefined) return state === ANYTHING || state === ABSENT ? ABSENT : undefined;
    if (state === ANYTHING) return seen;
    return state !== ABSENT && agrees(state, seen) ? seen : undefined;
  }

  #write(state: State, write: Write): State | undefined {
    const { call, made, version, until } = write;
    if (state === ANYTHING) {
      // What need not have happened leaves anything possible: trying it is of no use.
      if (until === Number.POSITIVE_INFINITY) return undefined;
      if (call.operation === "remove") return ABSENT;
      return made ?? ANYTHING;
    }
    const life = state === ABSENT ? undefined : state;
    if (!this.#allows(life, call) || (life !== undefined && this.#isAwaited(life, call))) return undefined;
    const next = this.#next(life, call);
    if (version !== undefined && version !== next.version) return undefined;
    const place = this.#known.versionKeyOf(next.created, next.version) ?? "";
    const maker = this.#known.makers.get(place);
    if (maker !== undefined && maker !== write) return undefined;
    if (made !== undefined && !(agrees(next, made) && follows(life, made))) return undefined;
    if (call.operation === "remove") return ABSENT;
    if (made !== undefined) return made;
    const shown = this.#known.observations.get(place);
    if (shown === undefined) return next;
    return agrees(next, shown) && follows(life, shown) ? shown : undefined;
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
    const changed = changedFields(life?.fields ?? {}, set, unset);
    const stamp = enters ? machine.stampOf(state) : undefined;
    const isNew = stamp !== undefined && !Object.hasOwn(changed, stamp);
    const fields = isNew ? { ...changed, [stamp]: undefined } : changed;
    const since = enters ? undefined : life?.since;
    const version = (life?.version ?? 0) + 1;
    return { state, version, timestamp: undefined, since, created: life?.created, fields };
  }
}

/** Times never run back. */
function follows(life: EntityState | undefined, { timestamp }: ParsedObservation): boolean {
  return life?.timestamp === undefined || life.timestamp <= timestamp;
}

/** Whether what a caller was shown is the entity, as far as that is known. */
export function agrees(life: EntityState, seen: ParsedObservation): boolean {
  if (life.version !== seen.version || life.state !== seen.state) return false;
  for (const time of ["timestamp", "since", "created"] as const) {
    if (life[time] !== undefined && life[time] !== seen[time]) return false;
  }
  for (const field in seen.fields) if (!Object.hasOwn(life.fields, field)) return false;
  for (const field in life.fields) {
    const [known, shown] = [life.fields[field], seen.fields[field]];
    if (!Object.hasOwn(seen.fields, field)) return false;
    if (known !== undefined && known !== shown && JSON.stringify(known) !== JSON.stringify(shown))
      return false;
  }
  return true;
}
