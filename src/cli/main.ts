import { CommanderError } from "commander";
import { exitCodeOf } from "./exit-codes.js";
import { type GlobalOptions, isForPrograms } from "./input/settings.js";
import { ProcessContext } from "./process-context.js";
import { buildProgram } from "./program.js";

/**
 * Runs the command line and sets the exit code. The process ends by itself.
 *
 * @param words the arguments of the program
 */
export async function main(words: readonly string[]): Promise<void> {
  const context = new ProcessContext();
  const program = await buildProgram(context, words, () => context.withoutColour());
  try {
    if (words.length === 0) program.outputHelp();
    else await program.parseAsync([...words], { from: "user" });
  } catch (error) {
    // Interrupted: the failure is a consequence.
    if (context.isStopped) return;
    // Help or version was printed.
    if (error instanceof CommanderError && error.exitCode === 0) return;
    const [{ reportError }, { fromCommander }] = await Promise.all([
      import("./report-error.js"),
      import("./input/commander-error.js"),
    ]);
    const given = program.opts<GlobalOptions>();
    const problem = error instanceof CommanderError ? fromCommander(program, error, words) : error;
    context.exitWith(exitCodeOf(problem));
    reportError(context, problem, isForPrograms(given.output), given, program.args[0]);
  }
}
