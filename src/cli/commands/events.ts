import type { Command } from "commander";
import type { EventFlags } from "../actions/events.js";
import type { CliContext } from "../context.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** Adds `latchkey events`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("events")
    .description("print the durable event log, oldest first")
    .option("--after <cursor>", "start, end, or the cursor of an earlier output (default: start)")
    .option("--follow", "wait for new events; starts at the end unless --after is given")
    .action(async (flags: EventFlags) => {
      const { showEvents } = await import("../actions/events.js");
      await showEvents(context, settingsOf(command, context), flags);
    });
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(
    command,
    "latchkey events -o jsonl",
    "latchkey events --follow",
    "latchkey events --after 1763807223197-0 -o jsonl",
  );
}
