import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** Adds `latchkey stats`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("stats")
    .description("show entities by state, overdue entities, and memory usage (estimated from samples)")
    .action(async () => {
      const { showStats } = await import("../actions/stats.js");
      await showStats(context, settingsOf(command, context));
    });
  withFormats(command, "table", "json", "jsonl", "yaml");
  withExamples(command, "latchkey stats", "latchkey stats -m task", "latchkey stats -o json");
}
