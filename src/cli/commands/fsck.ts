import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withExamples, withFormats } from "../input/formats.js";

/** Adds `latchkey fsck`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("fsck")
    .description("check index, timers and logs of a machine against its entities; exit 1 if damage remains")
    .option("--repair", "repair what follows from the entities and the event log; never changes an entity")
    .option("--deep", "also scan all keys of the server for entities that nothing else mentions")
    .option(
      "--strict",
      "report leftovers of older machine versions as damage; with --repair, shorten existing leases",
    )
    .action(listener(context, async () => (await import("../actions/fsck.js")).runFsck));
  withFormats(command, "table", "json", "jsonl");
  withExamples(command, "latchkey fsck", "latchkey fsck --repair", "latchkey fsck --deep -m order -o jsonl");
}
