import { type Keys, shown } from "./json-value.js";

/** One thing that is wrong with a definition, and where. */
export interface Problem {
  /** The place, such as `states.running.to[1]`; empty for the definition as a whole. */
  readonly path: string;
  /** What is wrong there and what would be right. */
  readonly message: string;
  /** The line in the machine file, from 1; absent for definitions that come from no file. */
  readonly line?: number;
}

/** A problem before its place is put into words. */
export interface Finding {
  readonly keys: Keys;
  readonly message: string;
}

/** Takes the findings of the checks. */
export type Report = (keys: Keys, message: string) => void;

/** The place in words: `states.running.to[1]`, `states["a b"]`. */
export function pathText(keys: Keys): string {
  let text = "";
  for (const key of keys) {
    if (typeof key === "number") text += `[${key}]`;
    else if (!/^[A-Za-z_$][\w$-]*$/.test(key)) text += `[${shown(key)}]`;
    else text += text === "" ? key : `.${key}`;
  }
  return text;
}

/** A finding with its place in words. */
export function toProblem(finding: Finding): Problem {
  return { path: pathText(finding.keys), message: finding.message };
}
