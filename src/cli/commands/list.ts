import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";
import { collectList, durationOption, readsOption, wholeNumber } from "../input/option-values.js";

/** Adds `latchkey list`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("list")
    .summary("list entities by state, longest in the state first")
    .description(
      "Lists entities by state, longest in the state first. --due-within and --stuck scan every entity with a timer, " +
        "1000 per request; `latchkey stats` returns the number of overdue entities in constant time.",
    )
    .option("--state <states>", "only in these states (comma list, repeatable)", collectList)
    .option(
      "--older-than <duration>",
      "only entities in their state for at least DURATION: 30s, 10m, 2h, 7d",
      durationOption,
    )
    .option(
      "--due-within <duration>",
      "only entities whose timeout, lease or retention ends within DURATION",
      durationOption,
    )
    .option("--stuck", "only entities with an overdue or missing timer")
    .option("--limit <n>", "maximum number of results; prints the cursor of the next page", wholeNumber(1))
    .option("--cursor <cursor>", "continue after the previous page")
    .addOption(readsOption())
    .action(listener(context, async () => (await import("../actions/list.js")).listEntities));
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(
    command,
    "latchkey list --state running --older-than 10m",
    "latchkey list --state failed,killed -o jsonl",
    "latchkey list --due-within 1m -m task",
    "latchkey list --stuck",
    "latchkey list --limit 100 -o wide",
    "latchkey list -o name",
  );
}
