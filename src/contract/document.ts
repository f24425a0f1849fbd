import type { JsonValue } from "../machine/json-value.js";
import { RESERVED_FIELDS } from "../machine/names.js";

/**
 * An entity as it is: what `get` returns and what a refusal carries. The caller's own fields stand beside these.
 * Times are the server's, ISO-8601 UTC.
 */
export interface Snapshot<S extends string = string> {
  readonly machine: string;
  readonly id: string;
  readonly state: S;
  /** Rises by 1 with every change. */
  readonly version: number;
  /** When this version was made. */
  readonly timestamp: string;
  /** When the state was entered. */
  readonly since: string;
  readonly createdAt: string;
  readonly [field: string]: JsonValue | undefined;
}

/** One accepted change: the entity after it, and what made it. The same document is logged and published. */
export interface Change<S extends string = string> extends Snapshot<S> {
  /** The event's name, such as `agent.running`. */
  readonly type: string;
  /** The state before; null on creation. */
  readonly from: S | null;
  readonly actor?: string;
  readonly reason?: string;
  readonly op?: string;
  /** Stands, as true, where the table of transitions was skipped. */
  readonly forced?: boolean;
  /** Only a {@link Replay} has it: `opVersion === undefined` tells the two apart. */
  readonly opVersion?: undefined;
}

/** The entity as it is, where the op was done before: nothing new happened, so nothing of a change stands here. */
export interface Replay<S extends string = string> extends Snapshot<S> {
  readonly type?: undefined;
  readonly from?: undefined;
  readonly actor?: undefined;
  readonly reason?: undefined;
  readonly op?: undefined;
  readonly forced?: undefined;
  /** The version that the op made when it was done. */
  readonly opVersion: number;
}

/**
 * The caller's own fields of a document, stamps included, in their order.
 *
 * @example ownFields(await agents.get("a1")); // { taskId: "t1", startedAt: "2026-…" }
 */
export function ownFields(document: Snapshot): Record<string, JsonValue> {
  return Object.fromEntries(
    Object.entries(document).flatMap(([field, value]) =>
      value === undefined || RESERVED_FIELDS.has(field) ? [] : [[field, value]],
    ),
  );
}

const texts = new WeakMap<Snapshot, string>();

/** Reads a document that a script made. What a script of latchkey answers is strict JSON by contract. */
export function readDocument<D extends Snapshot>(text: string): D {
  const document = JSON.parse(text) as D;
  texts.set(document, text);
  return document;
}

/** The very text that a document was read from: numbers that JavaScript rounds stand in it with all their digits. */
export function documentText(document: Snapshot): string {
  return texts.get(document) ?? JSON.stringify(document);
}
