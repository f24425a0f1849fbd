import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** `latchkey stats`: entities per state, and the memory of each part. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("stats")
    .description("entities by state, what is due, and the memory of each part (sampled)")
    .action(async () => {
      const { showStats } = await import("../actions/stats.js");
      await showStats(context, settingsOf(command, context));
    });
  withFormats(command, "table", "json", "jsonl", "yaml");
  withExamples(command, "latchkey stats", "latchkey stats -m task", "latchkey stats -o json");
}
