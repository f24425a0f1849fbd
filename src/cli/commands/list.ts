import type { Command } from "commander";
import type { Duration } from "../../machine/duration.js";
import type { CliContext } from "../context.js";
import { collectList, positiveNumber } from "../input/change-flags.js";
import { durationOption } from "../input/duration-option.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** What to list, as it was typed. */
export interface ListFlags {
  readonly state?: readonly string[];
  readonly olderThan?: Duration;
  readonly dueWithin?: Duration;
  readonly stuck?: boolean;
  readonly limit?: number;
  readonly cursor?: string;
}

/** `latchkey list`: entities by state, then longest in it first. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("list")
    .summary("list entities: by state, then longest in it first")
    .description(
      "Lists entities: by state, then longest in it first. --due-within and --stuck look through all entities that " +
        "have a timer, 1000 in a step, however few fit; `latchkey stats` counts those whose timer is over at once.",
    )
    .option("--state <states>", "only in these states (comma list, repeatable)", collectList)
    .option("--older-than <duration>", "only that long in their state: 30s, 10m, 2h, 7d", durationOption)
    .option(
      "--due-within <duration>",
      "only those that time out, lose their lease or are removed by then",
      durationOption,
    )
    .option("--stuck", "only those whose timer has run out and not fired, or that lack theirs")
    .option("--limit <n>", "only so many, and say where to go on", positiveNumber)
    .option("--cursor <cursor>", "go on where the page before ended")
    .action(async (flags: ListFlags) => {
      const { listEntities } = await import("../actions/list.js");
      await listEntities(context, settingsOf(command, context), flags);
    });
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
