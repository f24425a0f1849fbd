import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";
import { readsOption, wholeNumber } from "../input/option-values.js";

/** Adds `latchkey history <id>`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("history <id>")
    .description("show the last changes of an entity, oldest first: when, who, why")
    .option("--limit <n>", "maximum number of changes; the newest are shown", wholeNumber(1))
    .addOption(readsOption())
    .action(listener(context, async () => (await import("../actions/history.js")).showHistory));
  withFormats(command, ...ENTITY_FORMATS.filter((format) => format !== "name"));
  withExamples(command, "latchkey history a1", "latchkey history a1 --limit 3 -o jsonl");
}
