import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** Options of `latchkey doctor`. */
export interface DoctorFlags {
  readonly strict?: boolean;
}

/** `latchkey doctor`: checks the server, its settings, the user's permissions and the namespace. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("doctor")
    .description("check server, settings, permissions and namespace; print problems and fixes")
    .option("--strict", "exit 1 on warnings too, not only on failures")
    .action(async (flags: DoctorFlags) => {
      const { runDoctor } = await import("../actions/doctor.js");
      await runDoctor(context, settingsOf(command, context), flags);
    });
  withFormats(command, "table", "wide", "json");
  withExamples(command, "latchkey doctor", "latchkey doctor --strict -o json");
}
