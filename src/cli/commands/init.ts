import type { Command } from "commander";
import type { InitFlags } from "../actions/init.js";
import type { CliContext } from "../context.js";
import { withExamples, withFormats } from "../input/formats.js";
import { wholeNumber } from "../input/option-values.js";
import { settingsOf } from "../input/settings.js";

/** Adds `latchkey init`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("init")
    .description("prepare a namespace; needed only for more than one partition")
    .option("--partitions <n>", "number of partitions; cannot be changed later", wholeNumber(1), 1)
    .option("--error-unchanged", "exit 3 if the namespace is already prepared")
    .action(async (flags: InitFlags) => {
      const { initNamespace } = await import("../actions/init.js");
      await initNamespace(context, settingsOf(command, context), flags);
    });
  withFormats(command, "table", "json");
  withExamples(command, "latchkey init", "latchkey init --namespace staging --partitions 16");
}
