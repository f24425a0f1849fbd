import type { Call, Entity, LogEntry } from "../facts.js";
import { kindOf } from "./log.js";

/** Whether a call showed that there was no such entity; not so where that may have been another reason. */
export function showsAbsence({ operation, outcome, seen }: Call): boolean {
  if (outcome === "NOTFOUND") return true;
  return outcome === "MISSING" && operation === "create" && seen === undefined;
}

/**
 * The calls that showed their callers the entity as it was at some moment, changes that they made themselves left out:
 * reads, refusals and replays.
 */
export function isObservation(call: Call): boolean {
  if (call.seen === undefined) return showsAbsence(call);
  if (call.operation === "get") return true;
  return !(call.outcome === "OK" || call.outcome === "NOTDURABLE") || call.seen.opVersion !== undefined;
}

/** Finds the moments of an entity's log: moment k is the one after k changes. */
export class Moments {
  readonly #byVersion = new Map<number, LogEntry[]>();
  readonly #momentOf = new Map<LogEntry, number>();
  /** Those at which there was no entity, in order. */
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

  /** The changes that made a version at a time: one, except where an id lived twice within a millisecond. */
  made(version: number, timestamp: number): readonly LogEntry[] {
    return (this.#byVersion.get(version) ?? []).filter(
      (event) => event.timestamp === timestamp && kindOf(event) !== "remove",
    );
  }

  after(event: LogEntry): number {
    return this.#momentOf.get(event) ?? 0;
  }
}
