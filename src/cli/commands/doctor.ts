import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withExamples, withFormats } from "../input/formats.js";

/** Adds `latchkey doctor`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("doctor")
    .description("check the server, its settings, the user's permissions and the namespace; print fixes")
    .option("--strict", "exit 1 on warnings too")
    .action(listener(context, async () => (await import("../actions/doctor.js")).runDoctor));
  withFormats(command, "table", "wide", "json");
  withExamples(command, "latchkey doctor", "latchkey doctor --strict -o json");
}
