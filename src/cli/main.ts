import { CommanderError } from "commander";
import { CliError } from "./cli-error.js";
import { exitCodeOf } from "./exit-codes.js";
import { ProcessContext } from "./process-context.js";
import { buildProgram } from "./program.js";
import { type GlobalOptions, isForPrograms } from "./settings.js";

const USAGE_CODES_THAT_ARE_NONE = new Set(["commander.version", "commander.helpDisplayed", "commander.help"]);

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
    if (error instanceof CommanderError && USAGE_CODES_THAT_ARE_NONE.has(error.code)) return;
    const { reportError } = await import("./report-error.js");
    const { output } = program.opts<GlobalOptions>();
    const problem = error instanceof CommanderError ? asTyped(error, words) : error;
    context.exitWith(exitCodeOf(problem));
    reportError(context, problem, isForPrograms(output));
  }
}

/** What was typed wrong, with a way to learn what is right. */
function asTyped({ message }: CommanderError, words: readonly string[]): CliError {
  const verb = words.find((word) => !word.startsWith("-"));
  const [first = "", suggestion] = message.replace(/^error: /, "").split("\n");
  return new CliError("USAGE", first, {
    ...(suggestion !== undefined && { lines: [suggestion] }),
    hint: /unknown command/.test(first) || verb === undefined ? "latchkey --help" : `latchkey ${verb} --help`,
  });
}
