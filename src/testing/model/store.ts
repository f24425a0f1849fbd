import type { CompiledMachine } from "../../machine/compiled.js";
import { isLater } from "../../valkey/stream.js";
import { changeText, type ModelChange, type ModelEntity, recordText, snapshotText } from "./entity.js";

/** One entry of the event log. */
export interface ModelEvent {
  readonly position: string;
  readonly id: string;
  /** The document. */
  readonly text: string;
}

/** The position before all others. */
export const START = "0-0";
/** Least number of changes that the log of an entity keeps. */
const LEAST_LOGGED = 32;

/** Keeps the entities, their logs and the event log of a model in memory. */
export class ModelStore {
  machine: CompiledMachine;
  /** Server time in ms. */
  timeMs = 0;
  readonly entities = new Map<string, ModelEntity>();
  /** All changes, oldest first. */
  readonly events: ModelEvent[] = [];
  /** Positions of removals, by id. */
  readonly #removals = new Map<string, string>();

  constructor(machine: CompiledMachine) {
    this.machine = machine;
  }

  /** Position of the newest change. */
  get end(): string {
    return this.events.at(-1)?.position ?? START;
  }

  /** Returns the newest position whose idempotency keys are no longer known for an id. */
  forgotten(id: string): string {
    return this.entities.get(id)?.forgot ?? this.#removals.get(id) ?? START;
  }

  /** Formats an entity as it is; null if it does not exist. @param further members before its own fields */
  snapshot(id: string, further?: object): string | null {
    const entity = this.entities.get(id);
    return entity === undefined ? null : snapshotText(this.machine.name, id, entity, further);
  }

  /** Writes a change of an entity. @returns its document */
  write(id: string, change: ModelChange, position: string): string {
    const { entity, op = "" } = change;
    const record = { position, version: entity.version, op, text: recordText(position, change) };
    this.entities.set(id, this.#trimmed({ ...entity, log: [...entity.log, record] }));
    return this.#log(id, change, position);
  }

  /** Deletes an entity. @returns the document of the change */
  erase(id: string, change: ModelChange, position: string): string {
    this.entities.delete(id);
    this.#removals.set(id, position);
    return this.#log(id, change, position);
  }

  /** Returns a new position, later than the end of the log and another one. */
  positionAfter(other = START): string {
    const latest = isLater(other, this.end) ? other : this.end;
    const [ms, sequence] = latest.split("-");
    return Number(ms) < this.timeMs ? `${this.timeMs}-0` : `${ms}-${Number(sequence) + 1}`;
  }

  #log(id: string, change: ModelChange, position: string): string {
    const text = changeText(this.machine.name, id, change);
    this.events.push({ position, id, text });
    return text;
  }

  /** Trims the log of an entity, eight changes or more at once. */
  #trimmed(entity: ModelEntity): ModelEntity {
    const excess = entity.log.length - Math.max(this.machine.history, LEAST_LOGGED);
    if (excess < 8) return entity;
    const trimmed = entity.log.slice(0, Math.min(excess, 32));
    const forgot = trimmed.findLast(({ op }) => op !== "")?.position ?? entity.forgot;
    return { ...entity, log: entity.log.slice(trimmed.length), forgot };
  }
}
