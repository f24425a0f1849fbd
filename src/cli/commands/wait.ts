import type { Command } from "commander";
import { usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { durationOption } from "../input/duration-option.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** `latchkey wait <id> <state…>`: until an entity is in one of the states. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("wait <id> <state...>")
    .description("wait until an entity is in one of the states (each may be a comma list)")
    .option("--timeout <duration>", "exit 124 after this long: 30s, 10m, 2h (default: 30s)", durationOption)
    .action(async (id: string, lists: string[], flags: { readonly timeout?: number }) => {
      const states = lists.flatMap((list) => list.split(",").filter((state) => state !== ""));
      if (states.length === 0) throw usageError("give at least one state to wait for");
      const { waitForEntity } = await import("../actions/wait.js");
      await waitForEntity(context, settingsOf(command, context), id, states, flags.timeout);
    });
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(
    command,
    "latchkey wait a1 running completed --timeout 10m",
    "latchkey wait a1 completed -o json",
  );
}
