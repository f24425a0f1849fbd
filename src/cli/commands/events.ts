import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";

/** Adds `latchkey events`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("events")
    .description("print the durable event log, each partition oldest first")
    .option("--after <cursor>", "start, end, a time, or the cursor of an earlier output (default: start)")
    .option("--follow", "wait for new events; starts at the end unless --after is given")
    .action(listener(context, async () => (await import("../actions/events.js")).showEvents));
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(
    command,
    "latchkey events -o jsonl",
    "latchkey events --follow",
    "latchkey events --after 1763807223197-0@9f86d081 -o jsonl",
    "latchkey events --after 2026-11-30T12:00:00Z",
  );
}
