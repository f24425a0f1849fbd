import type { Command } from "commander";
import type { Duration } from "../machine/duration.js";
import { CliError, usageError } from "./cli-error.js";
import type { CliContext } from "./context.js";
import { durationOption } from "./duration-option.js";
import { ENTITY_FORMATS, isForPeople, withExamples, withFormats } from "./formats.js";
import { withEntities } from "./session.js";
import { settingsOf } from "./settings.js";

/** `latchkey wait <id> <state…>`: until an entity is in one of the states. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("wait <id> <state...>")
    .description("wait until an entity is in one of the states (each may be a comma list)")
    .option("--timeout <duration>", "exit 124 after this long: 30s, 10m, 2h (default: 30s)", durationOption)
    .action((id: string, lists: string[], flags: { readonly timeout?: Duration }) => {
      const states = lists.flatMap((list) => list.split(",").filter((state) => state !== ""));
      if (states.length === 0) throw usageError("give at least one state to wait for");
      return waitForEntity(context, command, id, states, flags.timeout);
    });
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(
    command,
    "latchkey wait a1 running completed --timeout 10m",
    "latchkey wait a1 completed -o json",
  );
}

async function waitForEntity(
  context: CliContext,
  command: Command,
  id: string,
  states: readonly string[],
  timeout: Duration = "30s",
): Promise<void> {
  const settings = settingsOf(command, context);
  const signal = context.interruption();
  await withEntities(
    settings,
    async (entities) => {
      const entity = await entities.waitFor(id, states, { timeout, signal }).catch(withFacts);
      if (isForPeople(settings.format)) {
        await context.write(`${entity.machine}/${id} is ${entity.state} (version ${entity.version})\n`);
        return;
      }
      const [{ writeDocument }, { documentText }] = await Promise.all([
        import("./documents.js"),
        import("../store/document.js"),
      ]);
      await writeDocument(context, settings.format, {
        machine: entity.machine,
        id,
        text: documentText(entity),
      });
    },
    signal,
  );
}

/** Rejects with what programs need to go on beside the message. */
async function withFacts(error: unknown): Promise<never> {
  const [{ WaitError }, { documentText }] = await Promise.all([
    import("../wait-error.js"),
    import("../store/document.js"),
  ]);
  if (!(error instanceof WaitError)) throw error;
  const { code, message, machine, id, current } = error;
  const facts = {
    machine: JSON.stringify(machine),
    id: JSON.stringify(id),
    current: current === null ? "null" : documentText(current),
  };
  throw new CliError(code, message, { facts }, error);
}
