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
