import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** What `latchkey doctor` takes. */
export interface DoctorFlags {
  readonly strict?: boolean;
}

/** `latchkey doctor`: what is wrong with the server, its settings, this user's rights and the namespace. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("doctor")
    .description("check server, settings, rights and namespace; say what is wrong and what mends it")
    .option("--strict", "exit 1 on warnings too, not only where something is bad")
    .action(async (flags: DoctorFlags) => {
      const { runDoctor } = await import("../actions/doctor.js");
      await runDoctor(context, settingsOf(command, context), flags);
    });
  withFormats(command, "table", "wide", "json");
  withExamples(command, "latchkey doctor", "latchkey doctor --strict -o json");
}
