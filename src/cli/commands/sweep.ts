import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withExamples, withFormats } from "../input/formats.js";
import { durationOption, wholeNumber } from "../input/option-values.js";

/** Adds `latchkey sweep`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("sweep")
    .description("fire timeouts, leases and retention when they are due, of all machines or of -m")
    .option("--once", "fire what is due, check the whole index, and exit (7 if a server is unreachable)")
    .option("--interval <duration>", "time between two rounds, with jitter (default: 1s)", durationOption)
    .option("--batch <n>", "entities per request, up to 1000 (default: 100)", wholeNumber(1, 1000))
    .action(listener(context, async () => (await import("../actions/sweep.js")).runSweep));
  withFormats(command, "table", "wide", "json", "jsonl", "name");
  withExamples(
    command,
    "latchkey sweep",
    "latchkey sweep --interval 5s -o jsonl",
    "latchkey sweep --once -m agent",
  );
}
