import type { Command } from "commander";
import type { CliContext } from "../context.js";

/** `latchkey __complete -- words…`: what the last word may become, a line each. Never fails, never complains. */
export function register(program: Command, context: CliContext): void {
  program.command("__complete [words...]", { hidden: true }).action(async (words: string[]) => {
    try {
      const { completions } = await import("../actions/complete.js");
      const found = await completions(program, words, context);
      await context.write(found.map((word) => `${word}\n`).join(""));
    } catch {
      // A shell that is completing has no place for errors.
    }
  });
}
