import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withChangeOptions, withSet } from "../input/change-options.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";

/** Adds `latchkey create <id>`. */
export function register(program: Command, context: CliContext): void {
  const command = program.command("create <id>").description("create an entity in the initial state");
  withChangeOptions(withSet(command)).action(
    listener(context, async () => (await import("../actions/create.js")).createEntity),
  );
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(
    command,
    "latchkey create a1 --set taskId=t1",
    `latchkey create o-1 -m order --set 'items=["book","pen"]' --reason "web shop"`,
  );
}
