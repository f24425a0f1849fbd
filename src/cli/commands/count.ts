import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { withExamples, withFormats } from "../input/formats.js";
import { collectList } from "../input/option-values.js";
import { settingsOf } from "../input/settings.js";

/** Adds `latchkey count`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("count")
    .description("count entities by state")
    .option("--state <states>", "only these states (comma list, repeatable)", collectList)
    .action(async (flags: { readonly state?: readonly string[] }) => {
      const { countEntities } = await import("../actions/count.js");
      await countEntities(context, settingsOf(command, context), flags);
    });
  withFormats(command, "table", "json", "jsonl", "yaml");
  withExamples(command, "latchkey count", "latchkey count --state running,failed -o json");
}
