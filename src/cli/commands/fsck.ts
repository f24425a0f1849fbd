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
      "check index, timers and logs of a machine against its entities; exit 1 where damage is left",
    )
    .option("--repair", "mend what follows from entities and event log; never changes an entity")
    .option("--deep", "also walk over all keys, for entities that nothing else tells of")
    .option(
      "--strict",
      "take for damage what an older version of the machine may explain; --repair then cuts leases that it promised",
    )
    .action(async (flags: FsckFlags) => {
      const { runFsck } = await import("../actions/fsck.js");
      await runFsck(context, settingsOf(command, context), flags);
    });
  withFormats(command, "table", "json", "jsonl");
  withExamples(command, "latchkey fsck", "latchkey fsck --repair", "latchkey fsck --deep -m order -o jsonl");
}
