import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** What to draw, as it was typed. */
export interface GraphFlags {
  readonly file?: string;
  readonly id?: string;
}

/** `latchkey graph`: draws a machine. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("graph")
    .description("draw a machine: the installed one, a file's (needs no server), else the built-in agent")
    .option("-f, --file <file>", "machine file, .json or .yaml; - reads standard input")
    .option("--id <id>", "mark the state that this entity is in")
    .action(async (flags: GraphFlags) => {
      const { drawMachine } = await import("../actions/graph.js");
      await drawMachine(context, settingsOf(command, context), flags);
    });
  withFormats(command, "mermaid", "dot", "xstate", "machine", "table");
  withExamples(
    command,
    "latchkey graph",
    "latchkey graph -f order.yaml -o dot | dot -Tsvg > order.svg",
    "latchkey graph -o table --id a1",
    "latchkey graph -o machine    # what apply.lua takes",
  );
}
