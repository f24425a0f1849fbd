import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** Adds `latchkey machines`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("machines")
    .description("list the installed machines")
    .action(async () => {
      const { listMachines } = await import("../actions/machines.js");
      await listMachines(context, settingsOf(command, context));
    });
  withFormats(command, "table", "json", "jsonl", "yaml", "name");
  withExamples(command, "latchkey machines", "latchkey machines --namespace staging -o json");
}
