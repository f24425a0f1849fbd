import type { Command } from "commander";
import type { CliContext } from "../context.js";

/** Adds `latchkey __complete -- words…`, which prints the completions of the last word and never fails. */
export function register(program: Command, context: CliContext): void {
  program.command("__complete [words...]", { hidden: true }).action(async (words: string[]) => {
    try {
      const { completions } = await import("../actions/complete.js");
      const lines = await completions(program, words, context);
      await context.write(lines.map((line) => `${line}\n`).join(""));
    } catch {
      // A shell cannot show errors during completion.
    }
  });
}
