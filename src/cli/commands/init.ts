import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withExamples, withFormats } from "../input/formats.js";
import { wholeNumber } from "../input/option-values.js";

/** Adds `latchkey init`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("init")
    .description("prepare a namespace; needed only for more than one partition")
    .option(
      "--partitions <n>",
      "number of partitions; cannot be changed later (default: 1, on a cluster 64)",
      wholeNumber(1),
    )
    .option("--error-unchanged", "exit 3 if the namespace is already prepared")
    .action(listener(context, async () => (await import("../actions/init.js")).initNamespace));
  withFormats(command, "table", "json");
  withExamples(command, "latchkey init", "latchkey init --namespace staging --partitions 16");
}
