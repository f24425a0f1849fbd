import type { Problem } from "../machine/problem.js";
import { LatchkeyError } from "./latchkey-error.js";

/**
 * A machine definition is invalid. `problems` lists everything that is wrong with it; the message has one line for
 * each. `code` is `"MACHINE_INVALID"`.
 *
 * @example
 * try { defineMachine(input) } catch (error) {
 *   if (error instanceof MachineDefinitionError) for (const p of error.problems) console.error(p.path, p.message);
 * }
 */
export class MachineDefinitionError extends LatchkeyError {
  override readonly name = "MachineDefinitionError";
  readonly problems: readonly Problem[];

  /**
   * @param problems at least one
   * @param file name of the machine file, if there is one
   */
  constructor(problems: readonly Problem[], file?: string) {
    const lines = problems.map(({ path, message, line }) => {
      const source = file === undefined ? "" : line === undefined ? `${file}: ` : `${file}:${line}: `;
      return `${source}${path === "" ? "" : `${path}: `}${message}`;
    });
    super("MACHINE_INVALID", `invalid machine definition\n${lines.join("\n")}`);
    this.problems = problems;
  }
}
