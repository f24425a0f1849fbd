import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { positiveNumber } from "../input/change-flags.js";
import { withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";
import { withLatchkey } from "../session.js";

interface InitFlags {
  readonly partitions: number;
  readonly errorUnchanged?: boolean;
}

/** `latchkey init`: fixes a fresh namespace to a number of partitions. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("init")
    .description("prepare a namespace; only needed for more partitions than one")
    .option("--partitions <n>", "equal parts to spread over; never to be changed", positiveNumber, 1)
    .option("--error-unchanged", "exit 3 where it was prepared already")
    .action((flags: InitFlags) => init(context, command, flags));
  withFormats(command, "table", "json");
  withExamples(command, "latchkey init", "latchkey init --namespace staging --partitions 16");
}

async function init(context: CliContext, command: Command, flags: InitFlags): Promise<void> {
  const settings = settingsOf(command, context);
  await withLatchkey(settings, async (latchkey) => {
    const isFresh = latchkey.partitions === undefined;
    const { layout, partitions } = await latchkey.init(flags.partitions);
    const { namespace } = latchkey;
    if (!isFresh && flags.errorUnchanged === true) context.exitWith(EXIT.unchanged);
    if (settings.format === "json") {
      await context.write(`${JSON.stringify({ namespace, layout, partitions, changed: isFresh })}\n`);
      return;
    }
    const what = isFresh ? "initialised" : "unchanged";
    const parts = partitions === 1 ? "1 partition" : `${partitions} partitions`;
    await context.write(`namespace/${namespace} ${what}: ${parts}, layout ${layout}\n`);
  });
}
