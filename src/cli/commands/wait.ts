import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";

/** Adds `latchkey wait <id> <state…>`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("wait <id> <state...>")
    .summary("wait until an entity is in one of the states (comma lists are accepted)")
    .description(
      "Waits until an entity is in one of the states (comma lists are accepted). --timeout is the maximum time of the wait, " +
        "connecting included, then exit 124: 30s, 10m, 2h (default: 30s).",
    )
    .action(listener(context, async () => (await import("../actions/wait.js")).waitForEntity));
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(
    command,
    "latchkey wait a1 running completed --timeout 10m",
    "latchkey wait a1 completed -o json",
  );
}
