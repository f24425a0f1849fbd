import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withChangeOptions, withConditions } from "../input/change-options.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";

/** Adds `latchkey remove <id>`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("remove <id>")
    .description("delete an entity with its history; the event log keeps its events");
  withChangeOptions(withConditions(command)).action(
    listener(context, async () => (await import("../actions/remove.js")).removeEntity),
  );
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(command, "latchkey remove a1", "latchkey remove a1 --if-state completed --dry-run");
}
