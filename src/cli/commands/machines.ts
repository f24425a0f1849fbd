import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withExamples, withFormats } from "../input/formats.js";

/** Adds `latchkey machines`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("machines")
    .description("list the installed machines")
    .action(listener(context, async () => (await import("../actions/machines.js")).listMachines));
  withFormats(command, "table", "json", "jsonl", "yaml", "name");
  withExamples(command, "latchkey machines", "latchkey machines --namespace staging -o json");
}
