import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withChangeOptions, withConditions, withSet, withUnset } from "../input/change-options.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";

/** Adds `latchkey patch <id>`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("patch <id>")
    .description("change the fields of an entity; its state stays the same");
  withChangeOptions(withConditions(withUnset(withSet(command)))).action(
    listener(context, async () => (await import("../actions/patch.js")).patchEntity),
  );
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(
    command,
    "latchkey patch a1 --set progress=0.5",
    "latchkey patch a1 --unset note --if-version 3",
  );
}
