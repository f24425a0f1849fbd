import { isObject, type JsonValue } from "../machine/json-value.js";
import { RESERVED_FIELDS } from "../machine/names.js";
import type { Fields, StoredFields } from "./own-fields.js";

/**
 * Current entity, as `get` and rejections return it, with the caller's own fields of type `F`. Times are the server's,
 * ISO-8601 UTC.
 */
export type Snapshot<S extends string = string, F extends object = Fields> = EntityFacts<S> & StoredFields<F>;

/** Members of every document of an entity. */
export interface EntityFacts<S extends string> {
  readonly machine: string;
  readonly id: string;
  readonly state: S;
  /** Increases by 1 with every change. */
  readonly version: number;
  /** Time of the last change. */
  readonly timestamp: string;
  /** Time at which the state was entered. */
  readonly since: string;
  readonly createdAt: string;
  /** Time at which its first timer fires, if one is set. Only `get` returns it. */
  readonly dueAt?: string;
}

/** One accepted change: the entity after it, and its cause. The same document is logged and published. */
export type Change<S extends string = string, F extends object = Fields> = Snapshot<S, F> & ChangeFacts<S>;

/** Members of every document of a change. */
export interface ChangeFacts<S extends string> {
  /** Name of the event, such as `agent.running`. */
  readonly type: string;
  /** The previous state; null on creation. */
  readonly from: S | null;
  readonly actor?: string;
  readonly reason?: string;
  readonly op?: string;
  /** True if the transition was forced. */
  readonly forced?: boolean;
  /** Present only in a {@link Replay}. */
  readonly opVersion?: undefined;
}

/** Current entity, returned if the idempotency key was already applied. Nothing new happened. */
export type Replay<S extends string = string, F extends object = Fields> = Snapshot<S, F> & ReplayFacts;

/** Members of every document of a replay. */
export interface ReplayFacts {
  readonly type?: undefined;
  readonly from?: undefined;
  readonly actor?: undefined;
  readonly reason?: undefined;
  readonly op?: undefined;
  readonly forced?: undefined;
  /** The version that the original change created. */
  readonly opVersion: number;
}

/**
 * Returns the caller's own fields of a document, stamps included, in their order.
 *
 * @example ownFields(await agents.get("a1")); // { taskId: "t1", startedAt: "2026-…" }
 */
export function ownFields<D extends Snapshot<string, object>>(document: D): OwnFields<D> {
  return Object.fromEntries(
    Object.entries<JsonValue | undefined>(document as Snapshot).flatMap(([field, value]) =>
      value === undefined || RESERVED_FIELDS.has(field) ? [] : [[field, value]],
    ),
  ) as OwnFields<D>;
}

/** Derives the type of the own fields of a document. */
export type OwnFields<D extends object> = string extends keyof D
  ? Record<string, JsonValue>
  : Omit<D, keyof EntityFacts<string> | keyof ChangeFacts<string>>;

class Returned {
  constructor(document: object) {
    // biome-ignore lint/correctness/noConstructorReturn: the fields of a derived class become the document's own
    return document;
  }
}

/** Keeps the text of a document in a private field of the document: a WeakMap costs half as much as parsing. */
class DocumentText extends Returned {
  readonly #text: string;

  constructor(document: object, text: string) {
    super(document);
    this.#text = text;
  }

  static of(document: object): string | undefined {
    return #text in document ? document.#text : undefined;
  }
}

/** Parses a document of a script. The scripts return strict JSON. */
export function readDocument<D extends object>(text: string): D {
  const document = JSON.parse(text) as D;
  new DocumentText(document, text);
  return document;
}

const isText = (value: unknown): boolean => typeof value === "string";

const CHANGE_FIELDS: readonly (readonly [name: string, isValid: (value: unknown) => boolean])[] = [
  ["type", isText],
  ["id", isText],
  ["from", (value) => value === null || isText(value)],
  ["state", isText],
  ["version", (value) => Number.isSafeInteger(value) && Number(value) > 0],
  ["timestamp", isText],
  ["since", isText],
  ["createdAt", isText],
];

/**
 * Parses the document of a change as it was logged or published, where other programs can write too.
 *
 * @returns the change, or a text that says why it is not a change of this machine
 */
export function parseChange<C extends Change<string, object> = Change>(
  machine: string,
  text: string,
): C | string {
  if (text === "") return "no document";
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return "not JSON";
  }
  if (!isObject(document)) return "not a JSON object";
  if (document.machine !== machine) return `not a change of ${machine}`;
  const invalid = CHANGE_FIELDS.find(([name, isValid]) => !isValid(document[name]));
  if (invalid !== undefined) return `not a change: ${invalid[0]} is missing or invalid`;
  const change = document as C;
  new DocumentText(change, text);
  return change;
}

/** Returns the text from which a document was parsed. It contains all digits of numbers that JavaScript rounds. */
export function documentText(document: object): string {
  return DocumentText.of(document) ?? JSON.stringify(document);
}
