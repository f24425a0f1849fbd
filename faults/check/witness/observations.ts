import type { Call, Entity, LogEntry } from "../facts.js";
import { kindOf } from "./log.js";

/** Returns true if a call proved that the entity did not exist. */
export function showsAbsence({ operation, outcome, observation }: Call): boolean {
  if (outcome === "NOTFOUND") return true;
  return outcome === "MISSING" && operation === "create" && observation === undefined;
}

/**
 * Returns true if a call received the entity as it was at some moment: a read, a rejection or a replay. Changes that the
 * call applied itself are not observations.
 */
export function isObservation(call: Call): boolean {
  if (call.observation === undefined) return showsAbsence(call);
  if (call.operation === "get") return true;
  return (
    !(call.outcome === "OK" || call.outcome === "NOTDURABLE") || call.observation.opVersion !== undefined
  );
}

/** Finds the moments of an entity's log. Moment k is the one after k changes. */
export class Moments {
  readonly #byVersion = new Map<number, LogEntry[]>();
  readonly #momentOf = new Map<LogEntry, number>();
  /** Moments at which the entity did not exist, in order. */
  readonly absent: readonly number[];

  constructor({ events }: Entity) {
    const absent = [0];
    events.forEach((event, at) => {
      const same = this.#byVersion.get(event.version);
      if (same === undefined) this.#byVersion.set(event.version, [event]);
      else same.push(event);
      this.#momentOf.set(event, at + 1);
      if (kindOf(event) === "remove") absent.push(at + 1);
    });
    this.absent = absent;
  }

  /** Returns the changes that made a version at a time: one, unless an id lived twice in a millisecond. */
  made(version: number, timestamp: number): readonly LogEntry[] {
    return (this.#byVersion.get(version) ?? []).filter(
      (event) => event.timestamp === timestamp && kindOf(event) !== "remove",
    );
  }

  after(event: LogEntry): number {
    return this.#momentOf.get(event) ?? 0;
  }
}
