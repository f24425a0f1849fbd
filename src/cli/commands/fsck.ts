import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** Options of `latchkey fsck`. */
export interface FsckFlags {
  readonly repair?: boolean;
  readonly deep?: boolean;
  readonly strict?: boolean;
}

/** `latchkey fsck`: checks index, timers and logs against the entities. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("fsck")
    .description(
      "check the index, timers and logs of a machine against its entities; exit 1 if damage remains",
    )
    .option("--repair", "repair what follows from the entities and the event log; never changes an entity")
    .option("--deep", "also scan all keys, for entities that neither the index nor the event log names")
    .option(
      "--strict",
      "report leftovers of older machine versions as damage; with --repair, shorten existing leases",
    )
    .action(async (flags: FsckFlags) => {
      const { runFsck } = await import("../actions/fsck.js");
      await runFsck(context, settingsOf(command, context), flags);
    });
  withFormats(command, "table", "json", "jsonl");
  withExamples(command, "latchkey fsck", "latchkey fsck --repair", "latchkey fsck --deep -m order -o jsonl");
}
