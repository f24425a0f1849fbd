import type { Command } from "commander";
import type { DoctorFlags } from "../actions/doctor.js";
import type { CliContext } from "../context.js";
import { withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** Adds `latchkey doctor`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("doctor")
    .description("check the server, its settings, the user's permissions and the namespace; print fixes")
    .option("--strict", "exit 1 on warnings too")
    .action(async (flags: DoctorFlags) => {
      const { runDoctor } = await import("../actions/doctor.js");
      await runDoctor(context, settingsOf(command, context), flags);
    });
  withFormats(command, "table", "wide", "json");
  withExamples(command, "latchkey doctor", "latchkey doctor --strict -o json");
}
