import type { JsonValue } from "../machine/json-value.js";

/** Own fields of an entity of which neither names nor types are known. */
export type Fields = Readonly<Record<string, JsonValue>>;

/**
 * Derives what a call accepts as own fields of type `F`: any of them, as values or as the JSON that they become. Without
 * an `F` of its own it is any object that `JSON.stringify` accepts.
 */
export type FieldInput<F extends object> = string extends keyof F
  ? object
  : { readonly [K in keyof F]?: F[K] | Stored<F[K]> | undefined };

/**
 * Derives what documents contain of own fields of type `F`: each of them, as JSON, may be absent, because every change can
 * omit or remove it. Methods are left out.
 */
export type StoredFields<F extends object> = string extends keyof F
  ? { readonly [field: string]: JsonValue | undefined }
  : { readonly [K in keyof F as F[K] extends AnyFunction ? never : K]?: Stored<F[K]> };

/** Derives the JSON that `JSON.stringify` makes of a value, as it is read again: a `Date` becomes a string. */
export type Stored<T> = T extends {
  /** Returns the value that is encoded instead. */
  toJSON(): infer J;
}
  ? J
  : T extends AnyFunction
    ? never
    : T extends object
      ? { [K in keyof T]: Stored<T[K]> }
      : T;

type AnyFunction = (...parameters: never[]) => unknown;
