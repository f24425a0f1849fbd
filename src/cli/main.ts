import { CommanderError } from "commander";
import { exitCodeOf } from "./exit-codes.js";
import { type GlobalOptions, isForPrograms } from "./input/settings.js";
import { ProcessContext } from "./process-context.js";
import { buildProgram } from "./program.js";

/**
 * Runs the command line; sets the exit code and lets the process end by itself.
 *
 * @param words what was typed behind the program's name
 */
export async function main(words: readonly string[]): Promise<void> {
  const context = new ProcessContext();
  const program = await buildProgram(context, words, () => context.withoutColour());
  try {
    if (words.length === 0) program.outputHelp();
    else await program.parseAsync([...words], { from: "user" });
  } catch (error) {
    // Whoever interrupted it knows why it failed.
    if (context.isStopped) return;
    // Help and version were asked for, and given.
    if (error instanceof CommanderError && error.exitCode === 0) return;
    const [{ reportError }, { typedWrong }] = await Promise.all([
      import("./report-error.js"),
      import("./input/typed-wrong.js"),
    ]);
    const { output } = program.opts<GlobalOptions>();
    const problem = error instanceof CommanderError ? typedWrong(program, error, words) : error;
    context.exitWith(exitCodeOf(problem));
    reportError(context, problem, isForPrograms(output));
  }
}
