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

/**
 * A machine definition that cannot be used. `problems` holds everything that is wrong with it, and the
 * message lists the same, one a line.
 *
 * @example
 * try { defineMachine(input) } catch (error) {
 *   if (error instanceof MachineDefinitionError) for (const p of error.problems) console.error(p.path, p.message);
 * }
 */
export class MachineDefinitionError extends Error {
  override readonly name = "MachineDefinitionError";
  readonly code = "MACHINE_INVALID";
  readonly problems: readonly Problem[];

  /**
   * @param problems at least one
   * @param file name of the machine file, where there is one
   */
  constructor(problems: readonly Problem[], file?: string) {
    const lines = problems.map(({ path, message, line }) => {
      const source = file === undefined ? "" : line === undefined ? `${file}: ` : `${file}:${line}: `;
      return `${source}${path === "" ? "" : `${path}: `}${message}`;
    });
    super(`invalid machine definition\n${lines.join("\n")}`);
    this.problems = problems;
  }
}
