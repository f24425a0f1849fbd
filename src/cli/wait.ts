import type { Command } from "commander";
import type { Duration } from "../machine/duration.js";
import type { CliContext } from "./context.js";
import { durationOption } from "./duration-option.js";
import { ENTITY_FORMATS, isForPeople, withExamples, withFormats } from "./formats.js";
import { withEntities } from "./session.js";
import { settingsOf } from "./settings.js";

/** `latchkey wait <id> <state…>`: until an entity is in one of the states. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("wait <id> <state...>")
    .description("wait until an entity is in one of the states")
    .option("--timeout <duration>", "exit 124 after this long: 30s, 10m, 2h (default: 30s)", durationOption)
    .action((id: string, states: string[], flags: { readonly timeout?: Duration }) =>
      waitForEntity(context, command, id, states, flags.timeout),
    );
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
      const entity = await entities.waitFor(id, states, { timeout, signal });
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
