// The rules of spec/Seen.tla for many entities, as a program that predicts the outcome of every call.

/** Operations that take an idempotency key. */
export type Operation = "create" | "transition" | "patch" | "remove" | "restore";
export type Outcome = "OK" | "REPLAYED" | "FORGOTTEN" | "EXPIRED" | "NOTFOUND" | "EXISTS" | "ILLEGAL";

/** A position of the event log: an ID of the stream. */
export type Position = string;

/** One call, the same in every copy of it. */
export interface Call {
  readonly operation: Operation;
  readonly id: string;
  readonly op?: string;
  readonly seen?: Position;
  /** The state to enter: of transition. */
  readonly to: State;
  /** True if its NOTAFTER has passed. */
  readonly isLate: boolean;
}

/** States of the machine, each of which leads to the other. Entities begin in `a`. */
export type State = "a" | "b";

interface Entity {
  readonly state: State;
  readonly forgot: Position;
  readonly log: readonly { readonly op: string | undefined; readonly at: Position }[];
}

/** Everything that a failover can lose. */
export interface Stored {
  readonly end: Position;
  readonly floor: Position;
  readonly entities: ReadonlyMap<string, Entity>;
  /** Positions of removals, oldest first. */
  readonly tombstones: readonly (readonly [id: string, at: Position])[];
}

export const START: Position = "0-0";
const REMEMBERED = 32;
/** Changes that leave the log of an entity at once. */
const BATCH = 8;
const TRIMMED_AT_ONCE = 16;

const parts = (position: Position) => position.split("-").map(Number) as [ms: number, sequence: number];

/** Returns true if position `a` is after position `b`. */
export function isAfter(a: Position, b: Position): boolean {
  const [[aMs, aSequence], [bMs, bSequence]] = [parts(a), parts(b)];
  return aMs > bMs || (aMs === bMs && aSequence > bSequence);
}

export const latest = (a: Position, b: Position): Position => (isAfter(a, b) ? a : b);

export const msOf = (position: Position): number => parts(position)[0];

export class Rules {
  /** The number of tombstones that are kept. */
  readonly tombstones: number;
  stored: Stored = { end: START, floor: START, entities: new Map(), tombstones: [] };

  constructor(tombstones: number) {
    this.tombstones = tombstones;
  }

  /** Returns the tombstone of a removed id, else the newest position of a tombstone that was trimmed. */
  #previousEnd(id: string): Position {
    return this.stored.tombstones.find(([removed]) => removed === id)?.[1] ?? this.stored.floor;
  }

  /** Returns what an entity or a removed id has forgotten. */
  forgot(id: string): Position {
    return this.stored.entities.get(id)?.forgot ?? this.#previousEnd(id);
  }

  /** Predicts the outcome of a call. `nowMs` is the time of the server. */
  judge({ operation, id, op, to, seen = START, isLate }: Call, nowMs: number): Outcome {
    const entity = this.stored.entities.get(id);
    if (op !== undefined) {
      if (entity?.log.some((change) => change.op === op)) return "REPLAYED";
      const isAhead = operation !== "restore" && msOf(seen) >= nowMs && isAfter(seen, this.stored.end);
      if (isAhead || isAfter(this.forgot(id), seen)) return "FORGOTTEN";
    }
    if (isLate) return "EXPIRED";
    if (operation === "create" || operation === "restore") return entity === undefined ? "OK" : "EXISTS";
    if (entity === undefined) return "NOTFOUND";
    return operation === "transition" && entity.state === to ? "ILLEGAL" : "OK";
  }

  /** Makes the change of an accepted call at the position that the server has assigned. */
  apply({ operation, id, op, to }: Call, at: Position): void {
    const entities = new Map(this.stored.entities);
    let { tombstones, floor } = this.stored;
    const entity = entities.get(id);
    if (operation === "remove") {
      entities.delete(id);
      tombstones = [...tombstones, [id, at]];
      const excess = Math.min(Math.max(0, tombstones.length - this.tombstones), TRIMMED_AT_ONCE);
      floor = tombstones[excess - 1]?.[1] ?? floor;
      tombstones = tombstones.slice(excess);
    } else if (entity === undefined) {
      const forgot = operation === "restore" ? at : this.#previousEnd(id);
      entities.set(id, { state: "a", forgot, log: [{ op, at }] });
      tombstones = tombstones.filter(([removed]) => removed !== id);
    } else {
      const log = [...entity.log, { op, at }];
      const excess = log.length - REMEMBERED;
      const trimmed = excess < BATCH ? [] : log.splice(0, excess);
      const forgot = trimmed.findLast((change) => change.op !== undefined)?.at ?? entity.forgot;
      const state = operation === "transition" ? to : entity.state;
      entities.set(id, { state, log, forgot });
    }
    this.stored = { end: at, floor, entities, tombstones };
  }
}
