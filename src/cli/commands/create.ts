import type { Command } from "commander";
import type { ChangeFlags } from "../actions/change.js";
import type { CliContext } from "../context.js";
import { withChangeOptions, withSet } from "../input/change-options.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** Adds `latchkey create <id>`. */
export function register(program: Command, context: CliContext): void {
  const command = program.command("create <id>").description("create an entity in the initial state");
  withChangeOptions(withSet(command)).action(async (id: string, flags: ChangeFlags) => {
    const { createEntity } = await import("../actions/create.js");
    await createEntity(context, settingsOf(command, context), id, flags);
  });
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(
    command,
    "latchkey create a1 --set taskId=t1",
    `latchkey create o-1 -m order --set 'items=["book","pen"]' --reason "web shop"`,
  );
}
