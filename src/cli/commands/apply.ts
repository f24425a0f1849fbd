import { type Command, InvalidArgumentError } from "commander";
import type { CliContext } from "../context.js";
import { withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** What to apply and how, as it was typed. */
export interface ApplyFlags {
  readonly file?: string;
  readonly map?: ReadonlyMap<string, string>;
  readonly dryRun?: boolean;
  readonly actor?: string;
  readonly errorUnchanged?: boolean;
}

/** `latchkey apply`: installs a machine, or a newer version of it. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("apply")
    .description("install a machine, or a newer version of it; without a file the built-in agent machine")
    .option("-f, --file <file>", "machine file, .json or .yaml; - reads standard input")
    .option("--map <old=new>", "where entities of a dropped state go (repeatable)", collectMove)
    .option("--actor <text>", "who does it, for entities that are moved (default: cli:<user>@<host>)")
    .option("--dry-run", "only say what would happen")
    .option("--error-unchanged", "exit 3 where the very same is installed already")
    .action(async (flags: ApplyFlags) => {
      const { applyFile } = await import("../actions/apply.js");
      await applyFile(context, settingsOf(command, context), flags);
    });
  withFormats(command, "table", "json");
  withExamples(
    command,
    "latchkey apply",
    "latchkey apply -f order.yaml --dry-run",
    "latchkey apply -f order.yaml --map packing=open",
  );
}

function collectMove(text: string, before: ReadonlyMap<string, string> = new Map()): Map<string, string> {
  const match = /^([^=]+)=([^=]+)$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new InvalidArgumentError("Write it like old=new.");
  }
  if (before.has(match[1])) throw new InvalidArgumentError(`${match[1]} is mapped twice.`);
  return new Map([...before, [match[1], match[2]]]);
}
