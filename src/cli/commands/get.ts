import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";
import { readsOption } from "../input/option-values.js";

/** Adds `latchkey get <id...>`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("get <id...>")
    .description("show an entity in detail: state, age, fields, next commands, history")
    .addOption(readsOption())
    .action(listener(context, async () => (await import("../actions/get.js")).getEntities));
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(
    command,
    "latchkey get a1",
    "latchkey get a1 a2 -o jsonl",
    "latchkey get o-1 -m order -o yaml",
  );
}
