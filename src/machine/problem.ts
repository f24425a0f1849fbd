import { type Keys, shown } from "./json-value.js";

/** Describes one problem of a definition. */
export interface Problem {
  /** The path, such as `states.running.to[1]`; empty for the whole definition. */
  readonly path: string;
  /** The problem and its fix. */
  readonly message: string;
  /** The line in the machine file, from 1; absent for definitions that are not from a file. */
  readonly line?: number;
}

/** Describes a problem with its path as keys. */
export interface KeyedProblem {
  readonly keys: Keys;
  readonly message: string;
}

/** Called by a check for each problem. */
export type Reporter = (keys: Keys, message: string) => void;

/** Formats a path: `states.running.to[1]`, `states["a b"]`. */
export function pathText(keys: Keys): string {
  let text = "";
  for (const key of keys) {
    if (typeof key === "number") text += `[${key}]`;
    else if (!/^[A-Za-z_$][\w$-]*$/.test(key)) text += `[${shown(key)}]`;
    else text += text === "" ? key : `.${key}`;
  }
  return text;
}

/** Formats the path of a problem. */
export function toProblem(problem: KeyedProblem): Problem {
  return { path: pathText(problem.keys), message: problem.message };
}
