import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withChangeOptions, withConditions, withSet, withUnset } from "../input/change-options.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";

/** Adds `latchkey transition <id> <state>`. */
export function register(program: Command, context: CliContext): void {
  const command = program.command("transition <id> <state>").description("move an entity to another state");
  withConditions(withUnset(withSet(command))).option(
    "--force",
    "ignore the transitions of the machine, not its other rules; requires --reason",
  );
  withChangeOptions(command).action(
    listener(context, async () => (await import("../actions/transition.js")).transitionEntity),
  );
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(
    command,
    'latchkey transition a1 running --reason "picked up"',
    'latchkey transition a1 failed --set error="exit 137" --if-state running',
    'latchkey transition a1 running --force --reason "revived by hand" --dry-run',
  );
}
