import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { type ChangeFlags, withChangeOptions, withConditions } from "../input/change-flags.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";

/** `latchkey remove <id>`: deletes an entity; the event log keeps what happened to it. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("remove <id>")
    .description("delete an entity with its history; the event log keeps what happened");
  withChangeOptions(withConditions(command)).action(async (id: string, flags: ChangeFlags) => {
    const { runChange } = await import("../actions/change.js");
    await runChange(context, command, flags, { verb: "remove", id });
  });
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(command, "latchkey remove a1", "latchkey remove a1 --if-state completed --dry-run");
}
