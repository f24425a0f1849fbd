import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** `latchkey get <id...>`: explains entities. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("get <id...>")
    .description("explain an entity: state, age, fields, next steps, history")
    .action(async (ids: string[]) => {
      const { getEntities } = await import("../actions/get.js");
      await getEntities(context, settingsOf(command, context), ids);
    });
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(
    command,
    "latchkey get a1",
    "latchkey get a1 a2 -o jsonl",
    "latchkey get o-1 -m order -o yaml",
  );
}
