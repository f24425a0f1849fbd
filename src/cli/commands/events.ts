import type { Command } from "commander";
import { usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** Which events to show, as it was typed. */
export interface EventFlags {
  readonly after?: string;
  readonly follow?: boolean;
}

/** `latchkey events`: the durable log of a machine's changes. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("events")
    .description("the durable log of all changes, oldest first")
    .option("--after <cursor>", "start, end, or a cursor that this command gave (default: start)")
    .option("--follow", "wait for more; from the end, unless --after says otherwise")
    .action(async (flags: EventFlags) => {
      const settings = settingsOf(command, context);
      if (flags.follow === true && settings.format === "json") {
        throw usageError("--follow never ends, a JSON array must: use -o jsonl");
      }
      const { showEvents } = await import("../actions/events.js");
      await showEvents(context, settings, flags);
    });
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(
    command,
    "latchkey events -o jsonl",
    "latchkey events --follow",
    "latchkey events --after 1763807223197-0 -o jsonl",
  );
}
