import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withExamples, withFormats } from "../input/formats.js";
import { collectList, readsOption } from "../input/option-values.js";

/** Adds `latchkey count`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("count")
    .description("count entities by state")
    .option("--state <states>", "only these states (comma list, repeatable)", collectList)
    .addOption(readsOption())
    .action(listener(context, async () => (await import("../actions/count.js")).countEntities));
  withFormats(command, "table", "json", "jsonl", "yaml");
  withExamples(command, "latchkey count", "latchkey count --state running,failed -o json");
}
