import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withExamples, withFormats } from "../input/formats.js";

/** Adds `latchkey stats`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("stats")
    .description("show entities by state, overdue entities, and memory usage (estimated from samples)")
    .action(listener(context, async () => (await import("../actions/stats.js")).showStats));
  withFormats(command, "table", "json", "jsonl", "yaml");
  withExamples(command, "latchkey stats", "latchkey stats -m task", "latchkey stats -o json");
}
