import type { Command } from "commander";
import { usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import {
  type ChangeFlags,
  withChangeOptions,
  withConditions,
  withSet,
  withUnset,
} from "../input/change-flags.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";

/** `latchkey patch <id>`: changes own fields, and leaves the state as it is. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("patch <id>")
    .description("change an entity's own fields; its state stays as it is");
  withChangeOptions(withConditions(withUnset(withSet(command)))).action(
    async (id: string, flags: ChangeFlags) => {
      if (flags.set === undefined && flags.unset === undefined) {
        throw usageError(
          "patch needs something to change: --set field=value or --unset field",
          "latchkey patch --help",
        );
      }
      const { runChange } = await import("../actions/change.js");
      await runChange(context, command, flags, { verb: "patch", id });
    },
  );
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(
    command,
    "latchkey patch a1 --set progress=0.5",
    "latchkey patch a1 --unset note --if-version 3",
  );
}
