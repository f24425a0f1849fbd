import type { Command } from "commander";
import type { CliContext } from "../context.js";
import {
  type ChangeFlags,
  withChangeOptions,
  withConditions,
  withSet,
  withUnset,
} from "../input/change-flags.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";

/** `latchkey transition <id> <state>`: moves an entity to another state. */
export function register(program: Command, context: CliContext): void {
  const command = program.command("transition <id> <state>").description("move an entity to another state");
  withConditions(withUnset(withSet(command))).option(
    "--force",
    "skip the machine's table of transitions; needs --reason",
  );
  withChangeOptions(command).action(async (id: string, to: string, flags: ChangeFlags) => {
    const { runChange } = await import("../actions/change.js");
    await runChange(context, command, flags, { verb: "transition", id, to });
  });
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(
    command,
    'latchkey transition a1 running --reason "picked up"',
    'latchkey transition a1 failed --set error="exit 137" --if-state running',
    'latchkey transition a1 running --force --reason "revived by hand" --dry-run',
  );
}
