import type { Command } from "commander";
import type { ChangeFlags } from "../actions/change.js";
import type { CliContext } from "../context.js";
import { withChangeOptions, withConditions } from "../input/change-options.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** Adds `latchkey remove <id>`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("remove <id>")
    .description("delete an entity with its history; the event log keeps its events");
  withChangeOptions(withConditions(command)).action(async (id: string, flags: ChangeFlags) => {
    const { removeEntity } = await import("../actions/remove.js");
    await removeEntity(context, settingsOf(command, context), id, flags);
  });
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(command, "latchkey remove a1", "latchkey remove a1 --if-state completed --dry-run");
}
