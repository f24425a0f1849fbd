import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withExamples, withFormats } from "../input/formats.js";
import { collectPairs } from "../input/option-values.js";

/** Adds `latchkey apply`. */
export function register(program: Command, context: CliContext): void {
  const moves = collectPairs("old=new", (state) => state);
  const command = program
    .command("apply")
    .description("install a machine or a newer version of it; without a file, the built-in agent machine")
    .option("-f, --file <file>", "machine file, .json or .yaml; - reads standard input")
    .option("--map <old=new>", "move the entities of a dropped state to another state (repeatable)", moves)
    .option("--actor <text>", "actor of the moves (default: cli:<user>@<host>)")
    .option("--dry-run", "print what would change; write nothing")
    .option("--error-unchanged", "exit 3 if the same definition is already installed")
    .action(listener(context, async () => (await import("../actions/apply.js")).applyDefinition));
  withFormats(command, "table", "json");
  withExamples(
    command,
    "latchkey apply",
    "latchkey apply -f order.yaml --dry-run",
    "latchkey apply -f order.yaml --map packing=open",
  );
}
