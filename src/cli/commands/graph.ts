import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withExamples, withFormats } from "../input/formats.js";

/** Adds `latchkey graph`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("graph")
    .description(
      "draw a machine: the installed one, or one from a file; if none is installed, the built-in agent",
    )
    .option("-f, --file <file>", "machine file, .json or .yaml; - reads standard input; needs no server")
    .option("--id <id>", "mark the state of this entity")
    .action(listener(context, async () => (await import("../actions/graph.js")).drawMachine));
  withFormats(command, "mermaid", "dot", "xstate", "machine", "table");
  withExamples(
    command,
    "latchkey graph",
    "latchkey graph -f order.yaml -o dot | dot -Tsvg > order.svg",
    "latchkey graph -o table --id a1",
    "latchkey graph -o machine    # what apply.lua takes",
  );
}
