import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withChangeOptions, withSet } from "../input/change-options.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";
import { wholeNumber } from "../input/option-values.js";

/** Adds `latchkey restore <id> <state>`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("restore <id> <state>")
    .description("create an entity in any state, with its version and times: for import and repair")
    .requiredOption("--at-version <n>", "version of the entity", wholeNumber(1))
    .option("--created <time>", "time of its creation (default: --since)")
    .option("--since <time>", "time at which it entered its state (default: now)");
  withChangeOptions(withSet(command), "position of the event log that it was exported from").action(
    listener(context, async () => (await import("../actions/restore.js")).restoreEntity),
  );
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(
    command,
    "latchkey restore a1 running --at-version 7 --set taskId=t1",
    "latchkey restore a1 completed --at-version 9 --since 2026-01-31T08:30:00.000Z --dry-run",
  );
}
