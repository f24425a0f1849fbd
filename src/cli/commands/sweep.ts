import type { Command } from "commander";
import type { Duration } from "../../machine/duration.js";
import { usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { durationOption } from "../input/duration-option.js";
import { withExamples, withFormats } from "../input/formats.js";
import { numberWithin } from "../input/number-within.js";
import { settingsOf } from "../input/settings.js";

/** How to sweep, as it was typed. */
export interface SweepFlags {
  readonly once?: boolean;
  readonly interval?: Duration;
  readonly batch?: number;
}

/** `latchkey sweep`: fires timers as they run out, in any number of replicas at once. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("sweep")
    .description("fire timeouts, leases and retention as they run out, of all machines or of -m")
    .option("--once", "fire what is due, look through the whole index, and end")
    .option("--interval <duration>", "time between two rounds, more or less (default: 1s)", durationOption)
    .option("--batch <n>", "so many entities at once, up to 1000 (default: 100)", numberWithin(1, 1000))
    .action(async (flags: SweepFlags) => {
      const settings = settingsOf(command, context);
      if (flags.once !== true && settings.format === "json") {
        throw usageError("without --once it never ends, a JSON array must: use -o jsonl");
      }
      const { runSweep } = await import("../actions/sweep.js");
      await runSweep(context, settings, flags);
    });
  withFormats(command, "table", "wide", "json", "jsonl", "name");
  withExamples(
    command,
    "latchkey sweep",
    "latchkey sweep --interval 5s -o jsonl",
    "latchkey sweep --once -m agent",
  );
}
